import { SottoError } from '../../core/errors.ts';
import { arrayAt, type Json, memberAt, stringAt } from '../../core/json.ts';
import { type CommitId, isCommitId } from '../../git/output.ts';
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

/** By kind, name and uid. */
export type Generations = Readonly<Record<string, string>>;

/** Generations of the workloads by uid: a new one is a rollout. Undefined where they may not be listed. */
export async function generations(
  { transport }: Cluster,
  namespace: string,
  signal: AbortSignal,
): Promise<Generations | undefined> {
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
  return Object.fromEntries(found);
}

/** Workloads that are not as they were; what came or went meanwhile is somebody else's. Pure. */
export function changedGenerations(before: Generations, after: Generations): string[] {
  return Object.entries(before).flatMap(([key, generation]) => {
    const now = after[key];
    return now === undefined || now === generation ? [] : [key.split(' ')[0] ?? key];
  });
}

export interface Awaited {
  readonly commit: CommitId;
  /** Whether another revision has the commit in it; undefined: it is not known here. */
  readonly holds: (revision: CommitId) => Promise<boolean | undefined>;
}

/** Waits until every sync that has read the commit is ready with it, and one has. Throws SOTTO-ROTATE-015. */
export async function untilApplied(
  cluster: Cluster,
  { commit, holds }: Awaited,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<void> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeoutMs);
  const known = new Map<string, boolean>([[commit, true]]);
  let latest: Json = null;
  let why: string | undefined = NOT_READ;
  const judge = (): void => {
    why = revisionState(latest, (revision) => known.get(revision) === true);
    if (why === undefined) stop.abort();
  };
  const compare = async (revision: CommitId): Promise<void> => {
    known.set(revision, false);
    // Whatever hinders the comparison, the next status is another chance.
    const isIn = await holds(revision).catch(() => undefined);
    if (isIn === undefined) known.delete(revision);
    else known.set(revision, isIn);
    if (isIn === true && !stop.signal.aborted) judge();
  };
  const onStatus = (status: Json | undefined): void => {
    latest = status ?? null;
    judge();
    for (const revision of revisionsIn(latest).filter((each) => !known.has(each))) void compare(revision);
  };
  try {
    await followStatus(cluster, { signal: AbortSignal.any([signal, stop.signal]), onStatus, onNote: () => undefined });
  } catch (thrown) {
    // A question that the end of the wait cuts off is no failure of the cluster.
    if (!stop.signal.aborted) throw thrown;
  } finally {
    clearTimeout(timer);
  }
  signal.throwIfAborted();
  if (why !== undefined) throw notApplied(commit, why, cluster.namespace);
}

const NOT_READ = 'no sync has read it yet';

/** Why a commit does not count as applied; undefined when it does. `isIn`: whether a revision has it in it. Pure. */
export function revisionState(status: Json, isIn: (revision: string) => boolean): string | undefined {
  const has = (sync: Json, ...path: readonly string[]): boolean => isIn(commitIn(stringAt(sync, ...path)) ?? '');
  const syncs = arrayAt(status, 'syncs').filter((sync) => has(sync, 'source', 'revision'));
  if (syncs.length === 0) return NOT_READ;
  const late = syncs.find((sync) => !has(sync, 'appliedRevision') || stringAt(sync, 'state') !== 'Ready');
  if (late === undefined) return undefined;
  return `${stringAt(late, 'name') ?? ''} is ${stringAt(late, 'state') ?? ''}: ${stringAt(late, 'message') ?? ''}`;
}

function revisionsIn(status: Json): CommitId[] {
  return arrayAt(status, 'syncs').flatMap((sync) =>
    [stringAt(sync, 'source', 'revision'), stringAt(sync, 'appliedRevision')].flatMap((text) => commitIn(text) ?? []),
  );
}

/** Of `main@sha1:…`. */
function commitIn(revision: string | undefined): CommitId | undefined {
  const commit = revision?.slice(-40);
  return commit !== undefined && isCommitId(commit) ? commit : undefined;
}

function notApplied(commit: string, why: string, namespace: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-015',
    what: `the agent does not run ${commit.slice(0, 12)} yet`,
    why,
    next: `sotto status -n ${namespace}, then sotto rotate --resume; both keys are there, and nothing is lost by waiting`,
  });
}
