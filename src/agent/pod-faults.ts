import type { Clock } from '../core/clock.ts';
import { SottoError } from '../core/errors.ts';
import type { ObjectKey } from '../core/ids.ts';
import type { Json } from '../core/json.ts';
import type { Health } from '../health/result.ts';
import {
  faultOfRollout,
  type PodFault,
  podFaultOf,
  type ReplicaSet,
  replicaSetOf,
  type Rollout,
  rolloutOf,
} from '../health/workload-pods.ts';
import type { ResourceCatalog } from '../kube/discovery.ts';
import type { Transport } from '../kube/transport.ts';
import { type WatchEvent, type WatchScope, watchResource } from '../kube/watch.ts';

export interface PodFaultsOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly targetNamespace: string;
  catalog(): ResourceCatalog;
  /** Uid of the object while it is live and ours. */
  uid(key: ObjectKey): string | undefined;
  /** The Pods of a workload say something else of it than before. */
  onChange(key: ObjectKey, health: Health): void;
  /** `trouble` is another one now. */
  onTrouble(): void;
  onDefect(thrown: unknown): void;
  /** For tests. */
  readonly lingerMs?: number | undefined;
}

interface Waiting {
  readonly rollout: Rollout;
  /** As the workload itself says. */
  readonly own: Health;
  said: Health;
}

/** So long without a workload that waits, and the streams end: one rollout is a few moments of readiness and not. */
const LINGER_MS = 5_000;

/**
 * Pods of workloads that are not ready, for syncs with `health.strict`: an image that cannot be had fails the workload at
 * once. Only while such a workload waits there are streams, of Pods that have not started and of the metadata of
 * ReplicaSets; kept is what is wrong, never a Pod.
 */
export class PodFaults {
  readonly #options: PodFaultsOptions;
  readonly #waiting = new Map<ObjectKey, Waiting>();
  readonly #faults = new Map<string, PodFault>();
  readonly #sets = new Map<string, ReplicaSet>();
  readonly #refused = new Set<string>();
  readonly #lingerMs: number;
  #streams: AbortController | undefined;
  #ending: NodeJS.Timeout | undefined;

  constructor(options: PodFaultsOptions) {
    this.#options = options;
    this.#lingerMs = options.lingerMs ?? LINGER_MS;
  }

  /** Health of an object of a strict sync, by itself and by its Pods. */
  judge(key: ObjectKey, object: Json, own: Health): Health {
    const rollout = rolloutOf(object, own);
    if (rollout === undefined) {
      this.forget(key);
      return own;
    }
    const before = this.#waiting.get(key);
    const now = this.#faultOf(rollout) ?? own;
    const said = before?.rollout.revision === rollout.revision && isStillFailed(before, now) ? before.said : now;
    this.#waiting.set(key, { rollout, own, said });
    this.#follow();
    return said;
  }

  forget(key: ObjectKey): void {
    if (this.#waiting.delete(key)) this.#follow();
  }

  /** Objects may have gone. */
  check(): void {
    for (const [key, { rollout }] of this.#waiting) if (this.#options.uid(key) !== rollout.uid) this.forget(key);
  }

  /** Why Pods are not looked at though they should be. */
  get trouble(): SottoError | undefined {
    if (this.#refused.size === 0) return undefined;
    return new SottoError({
      code: 'SOTTO-PLAN-140',
      what: 'why Pods of workloads do not start cannot be told',
      why: `the agent may not list and watch ${[...this.#refused].toSorted().join(' and ')}`,
      next: 'apply the Role of deploy/rights/role.yaml, or set health.strict: false',
    });
  }

  #faultOf(rollout: Rollout): Health | undefined {
    return faultOfRollout(rollout, this.#faults.values(), this.#sets.values());
  }

  #follow(): void {
    clearTimeout(this.#ending);
    if (this.#waiting.size > 0) this.#streams ??= this.#open();
    else if (this.#streams !== undefined) this.#ending = setTimeout(() => this.#end(), this.#lingerMs).unref();
  }

  #end(): void {
    this.#streams?.abort();
    this.#streams = undefined;
    this.#faults.clear();
    this.#sets.clear();
  }

  #open(): AbortController {
    const stop = new AbortController();
    const catalog = this.#options.catalog();
    const pods = catalog.find('v1', 'Pod');
    const sets = catalog.find('apps/v1', 'ReplicaSet');
    // One that has started needs no image any more, and leaves this stream.
    const pending = { fieldSelector: 'status.phase=Pending' };
    if (pods?.secret === false)
      this.#watch({ mode: 'full', resource: pods, ...pending }, this.#faults, podFaultOf, stop);
    if (sets !== undefined) this.#watch({ mode: 'metadata', resource: sets }, this.#sets, replicaSetOf, stop);
    return stop;
  }

  #watch<T>(
    scope: WatchScope & { readonly fieldSelector?: string },
    kept: Map<string, T>,
    read: (object: Json) => T | undefined,
    stop: AbortController,
  ): void {
    const { transport, clock, random, signal, targetNamespace } = this.#options;
    watchResource({
      ...scope,
      transport,
      clock,
      random,
      signal: AbortSignal.any([signal, stop.signal]),
      namespace: targetNamespace,
      onEvent: (event) => {
        if (this.#streams === stop && this.#take(event, scope.resource.plural, kept, read)) this.#tell();
      },
    }).catch((thrown: unknown) => this.#options.onDefect(thrown));
  }

  /** Tells whether anything is different now. */
  #take<T>(event: WatchEvent, plural: string, kept: Map<string, T>, read: (object: Json) => T | undefined): boolean {
    switch (event.type) {
      case 'added':
      case 'modified': {
        const [before, next] = [kept.get(event.name), read(event.object)];
        if (next === undefined) return kept.delete(event.name);
        kept.set(event.name, next);
        return before === undefined || JSON.stringify(before) !== JSON.stringify(next);
      }
      case 'deleted':
        return kept.delete(event.name);
      case 'synced':
        if (this.#refused.delete(plural)) this.#options.onTrouble();
        for (const name of kept.keys()) if (!event.present.has(name)) kept.delete(name);
        return true;
      case 'state':
        if (event.state !== 'forbidden' || this.#refused.has(plural)) return false;
        this.#refused.add(plural);
        this.#options.onTrouble();
        return false;
      case 'epoch':
        return false;
      default:
        return event satisfies never;
    }
  }

  #tell(): void {
    for (const [key, waiting] of this.#waiting) {
      const next = this.#faultOf(waiting.rollout) ?? waiting.own;
      if (next === waiting.said || isStillFailed(waiting, next)) continue;
      waiting.said = next;
      this.#options.onChange(key, next);
    }
  }
}

/** A kubelet that tries again and again gives reasons in turn: what was told first stays. */
function isStillFailed({ said }: Waiting, next: Health): boolean {
  return said.status === 'Failed' && next.status === 'Failed';
}
