import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../core/clock.ts';
import type { Json } from '../core/json.ts';
import { CONFIG_MAPS } from '../kube/resource.ts';
import { watchResource } from '../kube/watch.ts';
import { STATUS_CONFIGMAP } from '../report/status.ts';
import type { Cluster } from './cluster.ts';
import { readStatus, statusIn } from './status-document.ts';

export interface StatusFollower {
  /** Undefined: there is no status, or no more. */
  readonly onStatus: (status: Json | undefined) => void;
  /** Talk: the connection broke, the way of following changed. */
  readonly onNote: (note: string) => void;
  readonly signal: AbortSignal;
}

/** The agent writes at most every 10 s; two seconds are soon enough and 30 small requests a minute. */
const POLL_MS = 2_000;

/** Follows the status document until the signal: by a watch, or by asking where a watch is forbidden. */
export async function followStatus(cluster: Cluster, follower: StatusFollower): Promise<void> {
  // Asked first, so that a missing right or server is an error as it is without --watch.
  follower.onStatus(await readStatus(cluster, follower.signal));
  if ((await watchStatus(cluster, follower)) === 'forbidden') {
    follower.onNote(`no right to watch ${STATUS_CONFIGMAP}: asking every ${POLL_MS / 1000} s instead`);
    await pollStatus(cluster, follower);
  }
}

async function watchStatus(
  cluster: Cluster,
  { onStatus, onNote, signal }: StatusFollower,
): Promise<'forbidden' | 'ended'> {
  const stop = new AbortController();
  let end: 'forbidden' | 'ended' = 'ended';
  await watchResource({
    mode: 'full',
    resource: CONFIG_MAPS,
    transport: cluster.transport,
    namespace: cluster.namespace,
    fieldSelector: `metadata.name=${STATUS_CONFIGMAP}`,
    signal: AbortSignal.any([signal, stop.signal]),
    clock: systemClock,
    random: Math.random,
    onEvent: (event) => {
      if (event.type === 'added' || event.type === 'modified') onStatus(statusIn(event.object));
      if (event.type === 'deleted' || (event.type === 'synced' && event.present.size === 0)) onStatus(undefined);
      if (event.type !== 'state') return;
      if (event.state === 'forbidden') {
        end = 'forbidden';
        stop.abort();
      } else if (event.state !== 'live') onNote(`the API server does not answer (${event.why}): trying again`);
    },
  });
  return end;
}

async function pollStatus(cluster: Cluster, { onStatus, signal }: StatusFollower): Promise<void> {
  while (!signal.aborted) {
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    if (!signal.aborted) onStatus(await readStatus(cluster, signal));
  }
}
