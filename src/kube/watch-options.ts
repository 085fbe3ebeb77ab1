import type { Clock } from '../core/clock.ts';
import type { OpenResource, Resource } from './resource.ts';
import type { Transport } from './transport.ts';
import type { SeenObject } from './watch-line.ts';

/** Secrets can be watched as metadata only: `full` with them does not type. */
export type WatchScope =
  | { readonly mode: 'metadata'; readonly resource: Resource }
  | { readonly mode: 'full'; readonly resource: OpenResource };

export type WatchState =
  | 'live'
  /** What is known may be old: the stream broke and cannot be opened at once. */
  | 'stale'
  | 'forbidden'
  /** The kind is not served. */
  | 'gone';

export type WatchEvent =
  | ({
      readonly type: 'added' | 'modified' | 'deleted';
      /** Part of a list or relist; it may have been seen before. */
      readonly initial: boolean;
    } & SeenObject)
  /** A list is complete. Whatever was known and is not in `present` (name to uid) is gone; missed deletions show here. */
  | {
      readonly type: 'synced';
      readonly resourceVersion: string;
      readonly present: ReadonlyMap<string, string>;
    }
  /** The server's versions went back (a restored etcd): those known compare with nothing any more. A list follows. */
  | { readonly type: 'epoch' }
  | { readonly type: 'state'; readonly state: WatchState; readonly why: string };

export type WatchOptions = WatchScope & {
  readonly transport: Transport;
  readonly namespace: string;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** Called in order. What it throws ends the watch with that error. */
  readonly onEvent: (event: WatchEvent) => void;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** For tests. */
  readonly timing?: Partial<WatchTiming> | undefined;
};

/** Durations in milliseconds; reasons in spec/drift.md 3.10. */
export interface WatchTiming {
  /** Asked of the server, +-20 %. */
  readonly streamMs: number;
  readonly listSilenceMs: number;
  /** Silence on a stream that has had a bookmark: they come every 60 s, so the connection is dead. */
  readonly bookmarkedSilenceMs: number;
  /** Silence on one that never had: normal for a quiet kind, so it is only replaced. */
  readonly quietSilenceMs: number;
  readonly reconnectMs: number;
  readonly firstBackoffMs: number;
  readonly maxBackoffMs: number;
  readonly firstSuspensionMs: number;
  readonly maxSuspensionMs: number;
  /** A stream that ends sooner and without a line counts as an error. */
  readonly shortestLifeMs: number;
}
