import { canonicalJson, type Json, memberAt } from '../core/json.ts';
import type { Clock } from '../core/clock.ts';
import { kubeError } from '../kube/errors.ts';
import { getObject } from '../kube/objects.ts';
import { CONFIG_MAPS } from '../kube/resource.ts';
import type { Transport } from '../kube/transport.ts';
import { type WatchEvent, watchResource } from '../kube/watch.ts';
import { LIST_GRACE_MS } from './watching.ts';

export interface VariableMapsOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly targetNamespace: string;
  /** ConfigMaps that the settings in force name. */
  named(): ReadonlySet<string>;
  /** What a ConfigMap holds is no longer what was read. */
  onChange(name: string): void;
  onDefect(thrown: unknown): void;
}

interface Followed {
  object: Json | undefined;
  /** Its watch has told what there is. */
  isKnown: boolean;
  /** Somebody has read it: only what was read can be outdated. */
  isRead: boolean;
  readonly stop: AbortController;
  /** Resolves when it is known, or when the watch cannot tell. */
  readonly told: Promise<void>;
  tell(): void;
}

/**
 * The ConfigMaps with variables, one watch for each by its name: a pass reads them without a request, and a change of one
 * is noticed. Where one cannot be watched it is read with each pass.
 */
export class VariableMaps {
  readonly #options: VariableMapsOptions;
  readonly #followed = new Map<string, Followed>();

  constructor(options: VariableMapsOptions) {
    this.#options = options;
  }

  /** ConfigMaps as they are now; those that do not exist are left out. Throws SottoError when one cannot be read. */
  async read(names: readonly string[]): Promise<ReadonlyMap<string, Json>> {
    this.#forget();
    const found = new Map<string, Json>();
    for (const name of names) {
      const object = await this.#readOne(name);
      if (object !== undefined) found.set(name, object);
    }
    return found;
  }

  async #readOne(name: string): Promise<Json | undefined> {
    const followed = this.#follow(name);
    await followed.told;
    followed.isRead = true;
    if (followed.isKnown) return followed.object;
    const { transport, targetNamespace, signal } = this.#options;
    const target = { resource: CONFIG_MAPS, namespace: targetNamespace, name, signal };
    const answer = await getObject(transport, target);
    if (!answer.ok) throw kubeError(answer.failure, { ...target, verb: 'get' });
    followed.object = answer.value;
    return answer.value;
  }

  /** Streams of ConfigMaps that the settings name no more. */
  #forget(): void {
    const named = this.#options.named();
    for (const [name, { stop }] of this.#followed) {
      if (named.has(name)) continue;
      stop.abort();
      this.#followed.delete(name);
    }
  }

  #follow(name: string): Followed {
    const known = this.#followed.get(name);
    if (known !== undefined) return known;
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = new AbortController();
    const followed: Followed = { object: undefined, isKnown: false, isRead: false, stop, told: promise, tell: resolve };
    this.#followed.set(name, followed);
    const { transport, clock, random, signal, targetNamespace } = this.#options;
    const ends = AbortSignal.any([signal, stop.signal]);
    ends.addEventListener('abort', () => resolve(), { once: true });
    if (ends.aborted) resolve();
    watchResource({
      mode: 'full',
      resource: CONFIG_MAPS,
      transport,
      clock,
      random,
      signal: ends,
      namespace: targetNamespace,
      fieldSelector: `metadata.name=${name}`,
      onEvent: (event) => this.#take(name, followed, event),
    }).catch((thrown: unknown) => this.#options.onDefect(thrown));
    return followed;
  }

  #take(name: string, followed: Followed, event: WatchEvent): void {
    switch (event.type) {
      case 'added':
      case 'modified':
        return this.#changed(name, followed, event.object);
      case 'deleted':
        return this.#changed(name, followed, undefined);
      case 'synced':
        if (!event.present.has(name)) this.#changed(name, followed, undefined);
        followed.isKnown = true;
        return followed.tell();
      case 'state':
        if (event.state === 'forbidden' || event.state === 'gone') {
          followed.isKnown = false;
          followed.tell();
        }
        if (event.state === 'stale' && !followed.isKnown) setTimeout(() => followed.tell(), LIST_GRACE_MS).unref();
        return undefined;
      case 'epoch':
        return undefined;
      default:
        return event satisfies never;
    }
  }

  #changed(name: string, followed: Followed, object: Json | undefined): void {
    const isSame = dataOf(followed.object) === dataOf(object);
    followed.object = object;
    if (!isSame && followed.isRead) this.#options.onChange(name);
  }
}

/** Its variables and whether it is there: all that can change an object. */
function dataOf(object: Json | undefined): string | undefined {
  return object === undefined ? undefined : canonicalJson(memberAt(object, 'data') ?? null);
}
