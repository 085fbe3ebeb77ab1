import { setTimeout as sleep } from 'node:timers/promises';
import { arrayAt, numberAt, parseJson, stringAt } from '../core/json.ts';
import type { Json } from '../core/json.ts';
import type { AuditEntry } from './audit-log.ts';
import { counted, duration } from './screen.ts';
import { disproved } from './stage.ts';
import type { SceneResult, Stage } from './stage.ts';
import { until } from './until.ts';

const QUIET_MS = 5_000;
const SETTLE_MS = 1_000;
const POLL_MS = 100;

/** Everything is as Git wants it, and the agent says so; then nothing is asked of the API server any more. */
export async function quietCostsNothing(stage: Stage): Promise<SceneResult> {
  const { cluster, screen, options, repository } = stage;
  screen.working('waiting for the last status (written at most every 10 s)');
  const head = await repository.head();
  const patience = { signal: options.signal, pauseMs: POLL_MS };
  const settled = await until(async () => {
    const sync = await syncStatus(stage);
    const isApplied = stringAt(sync, 'appliedRevision')?.endsWith(head) === true;
    return isApplied && numberAt(sync, 'attentionTotal') === 0 ? sync : undefined;
  }, patience);
  if (settled === undefined) return disproved(stage, 'the status does not say that the last commit is applied');
  const state = stringAt(settled.value, 'state') ?? '';
  screen.done(`status: ${state}, ${counted(numberAt(settled.value, 'counts', 'desired') ?? 0, 'object')} as in Git`);
  if (cluster.audit === undefined) {
    screen.detail('requests in a quiet stretch: not counted, the audit log of this cluster is not ours to read');
    await sleep(SETTLE_MS, undefined, { signal: options.signal });
    return ['requests while quiet', 'not counted on this cluster'];
  }
  const { audit } = cluster;
  screen.working('waiting for the agent to be quiet');
  const calm = await until(async () => {
    const before = await audit.mark();
    await sleep(SETTLE_MS, undefined, { signal: options.signal });
    return (await audit.since(before)).length === 0 ? true : undefined;
  }, patience);
  if (calm === undefined) return disproved(stage, 'the agent goes on asking though nothing happens');
  const mark = await audit.mark();
  screen.working(`counting requests for ${duration(QUIET_MS)}`);
  await sleep(QUIET_MS, undefined, { signal: options.signal });
  const requests = await audit.since(mark);
  const watches = (await audit.since(0)).filter(isOpenWatch).length;
  if (requests.length > 0) return disproved(stage, `while nothing happened the agent asked ${listed(requests)}`);
  const text = `0 in ${duration(QUIET_MS)}, ${counted(watches, 'watch')} open`.replace('watchs', 'watches');
  screen.done(`requests to the API server while quiet: ${text}`);
  return ['requests while quiet', text];
}

function isOpenWatch({ verb, stage }: AuditEntry): boolean {
  return verb === 'watch' && stage === 'ResponseStarted';
}

function listed(requests: readonly AuditEntry[]): string {
  return `${requests.length} times: ${requests
    .slice(0, 5)
    .map(({ verb, resource, name }) => `${verb} ${resource}/${name}`)
    .join(', ')}`;
}

async function syncStatus({ cluster }: Stage): Promise<Json | undefined> {
  const path = `/api/v1/namespaces/${cluster.namespace}/configmaps/sotto-status`;
  const { status, body } = await cluster.admin('GET', path);
  const text = status === 200 ? stringAt(body, 'data', 'status.json') : undefined;
  return text === undefined ? undefined : arrayAt(parseJson(text), 'syncs')[0];
}
