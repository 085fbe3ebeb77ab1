import type { Clock } from '../core/clock.ts';
import { type ObjectKey, objectIdOf, objectKey } from '../core/ids.ts';
import { MEMBER_LABEL } from '../core/labels.ts';
import { apiVersionOf, objectIdIn, type Resource, resourceText } from '../kube/resource.ts';
import type { Transport } from '../kube/transport.ts';
import { type WatchEvent, type WatchScope, type WatchState, watchResource } from '../kube/watch.ts';
import type { InventoryRow } from '../plan/inventory.ts';
import type { LiveStore, Orphan } from './live.ts';

export interface WatchingOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly targetNamespace: string;
  readonly setId: string;
  readonly live: LiveStore;
  rows(): Iterable<InventoryRow>;
  /** Every event of the target namespace's Secrets, ours or not: keys and credentials may be among them. */
  readonly onSecret: (event: WatchEvent) => void;
  readonly onState: (resource: Resource, state: WatchState | 'listing', why: string) => void;
  /** A kind that had been given up (gone, forbidden, or no list in time) is listed and watched now. */
  readonly onSeen: (resource: Resource) => void;
  /** The stream of a kind that was lost is there again: the server was away, or did not know our rights yet. */
  readonly onBack: (resource: Resource) => void;
  /** A defect in an event's consumer; a watch never ends silently. */
  onDefect(thrown: unknown): void;
}

interface Watched {
  readonly resource: Resource;
  /** Listed at least once, and not since found gone or forbidden. */
  isSeen: boolean;
  state: WatchState | 'listing';
  why: string;
  /** Ends this stream alone. */
  stop: AbortController;
  /** Resolves when the kind is listed, or given up. */
  readonly known: Promise<void>;
  /** Whoever waited went on without knowing what is live. */
  isGivenUp: boolean;
  /** Lets go on whoever waits, with what is known by now. */
  settle(): void;
}

/** A list that a hiccup of the API server broke comes soon; without it everything would be applied again to know. */
export const LIST_GRACE_MS = 15_000;

/**
 * One stream for each kind in use: objects with our label, whole; Secrets unfiltered and as metadata only
 * (spec/drift.md 3.1). Streams are opened when a kind is first needed and stay.
 */
export class Watching {
  readonly #options: WatchingOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #ended: Promise<void>[] = [];

  constructor(options: WatchingOptions) {
    this.#options = options;
  }

  /** Resolves when the live state of these kinds is known, or when a kind cannot be watched (which is reported). */
  async cover(resources: readonly Resource[]): Promise<void> {
    await Promise.all(resources.map((resource) => this.#watch(resource).known));
  }

  isSeen(resource: Resource): boolean {
    return this.#watched.get(nameOf(resource))?.isSeen === true;
  }

  /** What is not live, for `/readyz`: a stale stream hides drift. */
  troubled(): { readonly resource: string; readonly state: string; readonly why: string }[] {
    return [...this.#watched]
      .filter(([, watched]) => watched.state !== 'live')
      .map(([resource, { state, why }]) => ({ resource, state, why }));
  }

  async ended(): Promise<void> {
    await Promise.all(this.#ended);
  }

  #watch(resource: Resource): Watched {
    const name = nameOf(resource);
    const known = this.#watched.get(name);
    if (known !== undefined) return known;
    const { promise, resolve } = Promise.withResolvers<void>();
    const watched: Watched = {
      resource,
      isSeen: false,
      state: 'listing',
      why: '',
      stop: new AbortController(),
      known: promise,
      isGivenUp: false,
      settle: () => {
        watched.isGivenUp ||= !watched.isSeen;
        resolve();
      },
    };
    this.#watched.set(name, watched);
    const { signal } = this.#options;
    signal.addEventListener('abort', () => resolve(), { once: true });
    // Of a signal that has come before there is no event any more.
    if (signal.aborted) resolve();
    this.#open(watched);
    return watched;
  }

  #open(watched: Watched): void {
    const { resource, stop } = watched;
    const { transport, clock, random, signal, targetNamespace, setId } = this.#options;
    const running = watchResource({
      ...scopeOf(resource),
      transport,
      clock,
      random,
      signal: AbortSignal.any([signal, stop.signal]),
      namespace: targetNamespace,
      labelSelector: resource.secret ? undefined : `${MEMBER_LABEL}=${setId}`,
      onEvent: (event) => this.#take(watched, event),
    });
    this.#ended.push(running.catch((thrown: unknown) => this.#options.onDefect(thrown)));
  }

  /** Kinds that the API server did not serve when their stream was last opened. */
  gone(): readonly Resource[] {
    return [...this.#watched.values()].filter(({ state }) => state === 'gone').map(({ resource }) => resource);
  }

  /** Opens the stream of a kind that was gone anew, at once. */
  retry(resource: Resource): void {
    const watched = this.#watched.get(nameOf(resource));
    if (watched?.state !== 'gone') return;
    watched.stop.abort();
    watched.stop = new AbortController();
    this.#open(watched);
  }

  /** Nobody needs the kind any more. Tells whether it is still watched in another version. */
  forget(resource: Resource): boolean {
    this.#watched.get(nameOf(resource))?.stop.abort();
    this.#watched.delete(nameOf(resource));
    return [...this.#watched.values()].some((watched) => watched.resource.kind === resource.kind);
  }

  #take(watched: Watched, event: WatchEvent): void {
    const { resource } = watched;
    const { live, targetNamespace, onState, onSecret, onSeen, onBack } = this.#options;
    if (resource.secret) onSecret(event);
    switch (event.type) {
      case 'added':
      case 'modified':
        return live.observe(resource, targetNamespace, event.object, event.initial);
      case 'deleted':
        return live.observeDeleted(objectKey(objectIdIn(resource, targetNamespace, event.name)), event.object);
      case 'synced':
        watched.isSeen = true;
        live.observeMissing(
          [...this.#keysOf(resource), ...orphansOfKind(live, resource)],
          listedKeys(resource, targetNamespace, event.present),
        );
        if (watched.isGivenUp) onSeen(resource);
        watched.isGivenUp = false;
        return watched.settle();
      case 'state':
        if (event.state === 'live' && watched.state !== 'live' && watched.isSeen) onBack(resource);
        watched.state = event.state;
        watched.why = event.why;
        if (event.state === 'gone' || event.state === 'forbidden') {
          watched.isSeen = false;
          watched.settle();
        }
        if (event.state === 'stale' && !watched.isSeen) setTimeout(() => watched.settle(), LIST_GRACE_MS).unref();
        return onState(resource, event.state, event.why);
      case 'epoch':
        return undefined;
    }
  }

  #keysOf(resource: Resource): ObjectKey[] {
    const version = apiVersionOf(resource);
    return [...this.#options.rows()]
      .filter((row) => row.apiVersion === version && objectIdOf(row.key).kind === resource.kind)
      .map((row) => row.key);
  }
}

function orphansOfKind(live: LiveStore, resource: Resource): ObjectKey[] {
  const version = apiVersionOf(resource);
  const isOfKind = ({ key, apiVersion }: Orphan): boolean =>
    apiVersion === version && objectIdOf(key).kind === resource.kind;
  return live
    .orphans()
    .filter(isOfKind)
    .map(({ key }) => key);
}

function nameOf(resource: Resource): string {
  return `${resourceText(resource)}/${resource.version}`;
}

function scopeOf(resource: Resource): WatchScope {
  return resource.secret ? { mode: 'metadata', resource } : { mode: 'full', resource };
}

function listedKeys(resource: Resource, namespace: string, present: ReadonlyMap<string, string>): Set<ObjectKey> {
  return new Set([...present.keys()].map((name) => objectKey(objectIdIn(resource, namespace, name))));
}
