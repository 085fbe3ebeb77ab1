import { setTimeout as sleep } from 'node:timers/promises';
import { SottoError } from '../core/errors.ts';
import { isJsonObject } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import type { KubeFailure } from './failure.ts';
import { failureFromAnswer, failureWithoutAnswer } from './failure.ts';
import { currentVersion, listMetadata, listObjects } from './lists.ts';
import type { Selection } from './lists.ts';
import { apiVersionOf } from './resource.ts';
import { compareResourceVersions } from './resource-version.ts';
import type { LinesEnd, OpenedStream } from './stream.ts';
import { readLines } from './stream.ts';
import { METADATA_ONLY } from './transport.ts';
import { watchPath } from './watch-path.ts';
import type { WatchOptions, WatchState, WatchTiming } from './watch-options.ts';
import { readWatchLine, seenObject } from './watch-line.ts';
import type { SeenObject } from './watch-line.ts';

/** What to do next, and after which wait. */
type Next =
  /** The server ended the stream as announced. */
  | { readonly step: 'resume' }
  /** Nothing came for long: whether the versions still count is asked first. */
  | { readonly step: 'check'; readonly why: string }
  /** The version is too old. */
  | { readonly step: 'relist' }
  /** `old` stays open until the new stream is. */
  | { readonly step: 'replace'; readonly old: OpenedStream }
  | { readonly step: 'retry'; readonly why: string; readonly retryAfterMs?: number | undefined }
  | { readonly step: 'suspend'; readonly state: 'forbidden' | 'gone'; readonly why: string };

/** How a watch's own lines end it. */
type LineStop = { readonly failure: KubeFailure } | { readonly problem: 'unreadable' | 'regressed' };

/** The life of one watch. */
export class WatchLoop {
  readonly #options: WatchOptions;
  readonly #timing: WatchTiming;
  /** Where the next stream starts; undefined: with a list. */
  #version: string | undefined;
  /** The newest version ever seen of this epoch. */
  #newest: string | undefined;
  #streamingList = true;
  #state: WatchState | undefined;
  #failures = 0;
  #suspensions = 0;
  #futureVersions = 0;
  #checkVersion = false;
  #replaced: OpenedStream | undefined;
  /** An error of the consumer ends the watch even when it is one we would survive. */
  #consumerThrew = false;

  constructor(options: WatchOptions, timing: WatchTiming) {
    this.#options = options;
    this.#timing = timing;
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    try {
      while (!signal.aborted) {
        const next = await this.#attempt();
        if (signal.aborted) break;
        await this.#prepare(next);
      }
    } finally {
      this.#replaced?.close();
    }
  }

  async #attempt(): Promise<Next> {
    try {
      return await this.#listOrFollow();
    } catch (error) {
      // Credentials that cannot be had just now; everything else is the consumer's and ends the watch.
      if (!(error instanceof SottoError) || this.#consumerThrew) throw error;
      return { step: 'retry', why: error.text() };
    }
  }

  #emit(event: Parameters<WatchOptions['onEvent']>[0]): void {
    this.#consumerThrew = true;
    this.#options.onEvent(event);
    this.#consumerThrew = false;
  }

  async #listOrFollow(): Promise<Next> {
    const trouble = await this.#versionTrouble();
    if (trouble !== undefined) return trouble;
    if (this.#version !== undefined) return this.#stream('follow');
    return this.#streamingList ? this.#stream('list') : this.#plainList();
  }

  /**
   * Before a resume from a broken stream and before a relist: did the versions go back? A plain watch from a version of
   * the future is accepted and stays silent (spec/drift.md 1.10), so only a list can tell.
   */
  async #versionTrouble(): Promise<Next | undefined> {
    const newest = this.#newest;
    const needed = this.#version === undefined || this.#checkVersion;
    if (newest === undefined || !needed) return undefined;
    const asked = await currentVersion(this.#options.transport, this.#options.resource, this.#selection());
    if (asked.ok) {
      this.#checkVersion = false;
      if (compareResourceVersions(asked.value, newest) < 0) this.#startEpoch();
      return undefined;
    }
    // Without the right to list, the streaming list itself shows at its end where the versions are.
    if (asked.failure.kind !== 'forbidden') return this.#afterFailure(asked.failure);
    this.#version = undefined;
    return undefined;
  }

  #selection(): Selection {
    const { namespace, labelSelector, fieldSelector, signal } = this.#options;
    return { namespace, labelSelector, fieldSelector, signal };
  }

  #startEpoch(): void {
    this.#version = undefined;
    this.#newest = undefined;
    this.#emit({ type: 'epoch' });
  }

  async #stream(kind: 'list' | 'follow'): Promise<Next> {
    const opened = await this.#open(kind);
    if (opened.kind === 'none') return this.#afterFailure(failureWithoutAnswer(opened));
    if (opened.kind === 'stream') return this.#read(opened, kind);
    const failure = failureFromAnswer(opened, this.#options.resource.secret);
    if (kind === 'list' && (failure.kind === 'invalid' || opened.status === 400)) {
      // Servers without streaming lists (off in 1.33) refuse the parameters.
      this.#streamingList = false;
      return this.#plainList();
    }
    return this.#afterFailure(failure);
  }

  async #open(kind: 'list' | 'follow') {
    const { transport, resource, mode, signal, random } = this.#options;
    const timeoutSeconds = Math.round((this.#timing.streamMs / 1000) * (0.8 + 0.4 * random()));
    try {
      return await transport.open({
        verb: 'watch',
        method: 'GET',
        path: watchPath(this.#options, { timeoutSeconds, from: kind === 'list' ? 'list' : (this.#version ?? '') }),
        resource,
        accept: mode === 'metadata' ? METADATA_ONLY : 'application/json',
        signal,
      });
    } finally {
      this.#replaced?.close();
      this.#replaced = undefined;
    }
  }

  async #read(stream: OpenedStream, kind: 'list' | 'follow'): Promise<Next> {
    const { clock, resource } = this.#options;
    const startMs = clock.elapsedMs();
    let listing = kind === 'list' ? new Map<string, string>() : undefined;
    let bookmarked = false;
    let lines = 0;
    if (kind === 'follow') this.#setState('live', 'resumed');
    const onLine = (line: Buffer): LineStop | undefined => {
      const read = readWatchLine(line, resource.secret);
      if (read.kind === 'error') return { failure: read.failure };
      if (read.kind === 'unreadable') return { problem: 'unreadable' };
      lines += 1;
      this.#failures = 0;
      if (read.kind === 'object') return this.#takeObject(read.type, read.seen, listing);
      bookmarked ||= !read.endsList;
      if (listing === undefined) this.#moveTo(read.resourceVersion);
      else if (read.endsList) {
        this.#finishList(listing, read.resourceVersion);
        listing = undefined;
      }
      return undefined;
    };
    const end = await this.#closingUnlessSilent(stream, {
      maxLineBytes: LIMITS.maxWatchLineBytes,
      wipe: resource.secret,
      silenceMs: () => this.#silenceMs(listing !== undefined, bookmarked),
      onLine,
    });
    if (end.kind === 'silent' && listing === undefined && !bookmarked) return { step: 'replace', old: stream };
    stream.close();
    const livedMs = clock.elapsedMs() - startMs;
    return this.#afterStream(end, {
      listed: listing === undefined,
      brief: lines === 0 && livedMs < this.#timing.shortestLifeMs,
    });
  }

  async #closingUnlessSilent(stream: OpenedStream, options: Parameters<typeof readLines<LineStop>>[1]) {
    try {
      return await readLines(stream, options);
    } catch (error) {
      stream.close();
      throw error;
    }
  }

  #silenceMs(listing: boolean, bookmarked: boolean): number {
    if (listing) return this.#timing.listSilenceMs;
    return bookmarked ? this.#timing.bookmarkedSilenceMs : this.#timing.quietSilenceMs;
  }

  #takeObject(
    type: 'added' | 'modified' | 'deleted',
    seen: SeenObject,
    listing: Map<string, string> | undefined,
  ): LineStop | undefined {
    if (listing === undefined && type !== 'deleted' && this.#isBehind(seen.resourceVersion))
      return { problem: 'regressed' };
    if (type === 'deleted') listing?.delete(seen.name);
    else listing?.set(seen.name, seen.uid);
    // Only the end mark's version may be resumed from: the initial objects come in no order (KK#74022).
    if (listing === undefined) this.#moveTo(seen.resourceVersion);
    this.#emit({ type, initial: listing !== undefined, ...seen });
    return undefined;
  }

  #isBehind(version: string): boolean {
    return this.#version !== undefined && compareResourceVersions(version, this.#version) < 0;
  }

  #moveTo(version: string): void {
    if (this.#isBehind(version)) return;
    this.#version = version;
    this.#newest = version;
    this.#futureVersions = 0;
  }

  #finishList(present: ReadonlyMap<string, string>, version: string): void {
    if (this.#newest !== undefined && compareResourceVersions(version, this.#newest) < 0) this.#startEpoch();
    this.#version = version;
    this.#newest = version;
    this.#checkVersion = false;
    this.#failures = 0;
    this.#suspensions = 0;
    this.#futureVersions = 0;
    this.#emit({ type: 'synced', resourceVersion: version, present });
    this.#setState('live', 'listed');
  }

  async #plainList(): Promise<Next> {
    const { transport, mode, resource } = this.#options;
    const selection = this.#selection();
    const listed =
      mode === 'full' && !resource.secret
        ? await listObjects(transport, resource, selection)
        : await listMetadata(transport, resource, selection);
    if (!listed.ok) return this.#afterFailure(listed.failure);
    const present = new Map<string, string>();
    // Items of a list have no type of their own.
    const type = mode === 'full' ? { apiVersion: apiVersionOf(resource), kind: resource.kind } : {};
    for (const item of listed.value.items) {
      const seen = seenObject(isJsonObject(item) ? { ...type, ...item } : item);
      if (seen === undefined) continue;
      present.set(seen.name, seen.uid);
      this.#emit({ type: 'added', initial: true, ...seen });
    }
    this.#finishList(present, listed.value.resourceVersion);
    return this.#stream('follow');
  }

  #afterStream(end: LinesEnd<LineStop>, life: { readonly listed: boolean; readonly brief: boolean }): Next {
    if (end.kind === 'stopped') return this.#afterStop(end.value);
    if (end.kind === 'broken') return { step: 'retry', why: `the stream broke: ${end.detail}` };
    if (end.kind === 'too-long') return { step: 'retry', why: `an event is over ${LIMITS.maxWatchLineBytes} bytes` };
    if (!life.listed) return { step: 'retry', why: 'the list did not become complete' };
    if (end.kind === 'silent') return { step: 'check', why: `silent for ${this.#timing.bookmarkedSilenceMs / 1000} s` };
    return life.brief ? { step: 'retry', why: 'the stream ended at once' } : { step: 'resume' };
  }

  #afterStop(stop: LineStop): Next {
    if ('failure' in stop) return this.#afterFailure(stop.failure);
    if (stop.problem === 'unreadable') return { step: 'retry', why: 'the stream holds what is no event' };
    this.#startEpoch();
    return { step: 'relist' };
  }

  #afterFailure(failure: KubeFailure): Next {
    const { retryAfterMs } = failure;
    const why = failure.status === 0 ? failure.reason : `HTTP ${failure.status} ${failure.reason}`.trim();
    if (failure.kind === 'expired') return { step: 'relist' };
    if (failure.kind === 'version-too-large') return this.#afterFutureVersion(why, retryAfterMs);
    if (failure.kind === 'forbidden' || failure.kind === 'denied') return { step: 'suspend', state: 'forbidden', why };
    if (failure.kind === 'not-found' || failure.kind === 'no-resource') return { step: 'suspend', state: 'gone', why };
    return { step: 'retry', why, retryAfterMs };
  }

  /** Asked twice more after the server's hint; then the version is from another life of its store. */
  #afterFutureVersion(why: string, retryAfterMs: number | undefined): Next {
    this.#futureVersions += 1;
    if (this.#futureVersions > 2) return { step: 'relist' };
    return { step: 'retry', why, retryAfterMs: retryAfterMs ?? this.#timing.firstBackoffMs };
  }

  /** Brings the state where the next attempt starts, and waits. */
  async #prepare(next: Next): Promise<void> {
    switch (next.step) {
      case 'resume':
        return this.#wait(this.#reconnectMs());
      case 'check':
        this.#checkVersion = true;
        this.#setState('stale', next.why);
        return undefined;
      case 'replace':
        this.#replaced = next.old;
        return undefined;
      case 'relist':
        this.#version = undefined;
        this.#failures += 1;
        // Twice without a line in between: something keeps answering so.
        return this.#wait(this.#failures > 1 ? this.#backoffMs(undefined) : this.#reconnectMs());
      case 'retry':
        this.#checkVersion = true;
        this.#failures += 1;
        this.#setState('stale', next.why);
        return this.#wait(this.#backoffMs(next.retryAfterMs));
      case 'suspend':
        // Rights or the kind may come back with other objects: everything is listed again then.
        this.#version = undefined;
        this.#suspensions += 1;
        this.#setState(next.state, next.why);
        return this.#wait(this.#suspensionMs());
    }
  }

  #reconnectMs(): number {
    return this.#options.random() * this.#timing.reconnectMs;
  }

  #backoffMs(retryAfterMs: number | undefined): number {
    const ownMs = doubled(this.#timing.firstBackoffMs, this.#failures, this.#timing.maxBackoffMs);
    return jittered(retryAfterMs ?? ownMs, this.#options.random());
  }

  #suspensionMs(): number {
    const { firstSuspensionMs, maxSuspensionMs } = this.#timing;
    return jittered(doubled(firstSuspensionMs, this.#suspensions, maxSuspensionMs), this.#options.random());
  }

  #setState(state: WatchState, why: string): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#emit({ type: 'state', state, why });
  }

  /** The signal ends a wait; the loop sees it. */
  async #wait(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#options.signal }).catch(() => undefined);
  }
}

function doubled(firstMs: number, count: number, maxMs: number): number {
  return Math.min(maxMs, firstMs * 2 ** (count - 1));
}

/** Up to a fifth more, so that many watches do not come back at once. */
function jittered(ms: number, random: number): number {
  return ms * (1 + 0.2 * random);
}
