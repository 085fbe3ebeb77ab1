import { SottoError } from '../../core/errors.ts';
import { arrayAt, type Json, memberAt, stringAt } from '../../core/json.ts';
import type { CommitId } from '../../git/output.ts';
import { listMetadata } from '../../kube/lists.ts';
import { resourceOf } from '../../kube/resource.ts';
import type { Cluster } from '../cluster.ts';
import { followStatus } from '../follow-status.ts';

const WORKLOADS = ['Deployment', 'StatefulSet', 'DaemonSet'].map((kind) =>
  resourceOf({
    group: 'apps',
    version: 'v1',
    kind,
    plural: `${kind.toLowerCase()}s`,
    namespaced: true,
    verbs: ['list'],
  }),
);

/** Generations of the workloads by uid: a new one is a rollout. Undefined where they may not be listed. */
export async function generations(
  { transport }: Cluster,
  namespace: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string> | undefined> {
  const found = new Map<string, string>();
  for (const resource of WORKLOADS) {
    const listed = await listMetadata(transport, resource, { namespace, signal });
    if (!listed.ok) return undefined;
    for (const item of listed.value.items) {
      const name = `${resource.kind}/${stringAt(item, 'metadata', 'name') ?? ''}`;
      const generation = memberAt(item, 'metadata', 'generation');
      found.set(
        `${name} ${stringAt(item, 'metadata', 'uid') ?? ''}`,
        typeof generation === 'number' ? String(generation) : '',
      );
    }
  }
  return found;
}

/** Workloads that are not as they were; what came or went meanwhile is somebody else's. Pure. */
export function changedGenerations(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  return [...before].flatMap(([key, generation]) => {
    const now = after.get(key);
    return now === undefined || now === generation ? [] : [key.split(' ')[0] ?? key];
  });
}

/** Waits until every sync that has read the commit is ready with it, and one has. Throws SOTTO-ROTATE-015. */
export async function untilApplied(
  cluster: Cluster,
  commit: CommitId,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<void> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeoutMs);
  let why = 'no sync has read it yet';
  let isApplied = false;
  const onStatus = (status: Json | undefined): void => {
    const state = revisionState(status ?? null, commit);
    if (state !== undefined) why = state;
    isApplied = state === undefined;
    if (isApplied) stop.abort();
  };
  try {
    await followStatus(cluster, { signal: AbortSignal.any([signal, stop.signal]), onStatus, onNote: () => undefined });
  } finally {
    clearTimeout(timer);
  }
  signal.throwIfAborted();
  if (!isApplied) throw notApplied(commit, why, cluster.namespace);
}

/** Why a commit does not count as applied; undefined when it does. Pure. */
export function revisionState(status: Json, commit: string): string | undefined {
  const syncs = arrayAt(status, 'syncs').filter(
    (sync) => stringAt(sync, 'source', 'revision')?.endsWith(commit) === true,
  );
  if (syncs.length === 0) return 'no sync has read it yet';
  const late = syncs.find(
    (sync) => stringAt(sync, 'appliedRevision')?.endsWith(commit) !== true || stringAt(sync, 'state') !== 'Ready',
  );
  if (late === undefined) return undefined;
  return `${stringAt(late, 'name') ?? ''} is ${stringAt(late, 'state') ?? ''}: ${stringAt(late, 'message') ?? ''}`;
}

function notApplied(commit: string, why: string, namespace: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-015',
    what: `the agent does not run ${commit.slice(0, 12)} yet`,
    why,
    next: `sotto status -n ${namespace}; both keys are there, and nothing is lost by waiting`,
  });
}
