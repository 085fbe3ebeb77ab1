import { withoutSecrets } from '../core/closed.ts';
import { canonicalJson } from '../core/json.ts';
import { displayObject, type ObjectKey, objectIdOf } from '../core/ids.ts';
import { SottoError } from '../core/errors.ts';
import { fingerprintId, type FingerprintKey, fingerprintKey, newFingerprintBytes } from '../keys/fingerprint.ts';
import { planIdOf } from '../plan/hold.ts';
import { type Plan, plan } from '../plan/plan.ts';
import { isRestarted, isWished, templateDigest } from '../plan/restart.ts';
import type { DesiredObject } from '../render/desired.ts';
import type { FingerprintPlan } from '../report/status.ts';
import { isAtRest } from './at-rest.ts';
import { buildWith } from './build-stage.ts';
import type { AgentContext } from './context.ts';
import { planInput, renderSet } from './pass-stages.ts';
import { liveStamp } from './restarting.ts';
import type { SyncRuntime } from './sync-runtime.ts';
import { viewSync } from './status-view.ts';

/**
 * What another fingerprint key changes in the cluster, tried out with one that nobody keeps: which generated objects get
 * other names, which workloads get other Pods, and what the rules of `prune` say of it. Nothing is written. To be called
 * while no pass is under way. Throws SottoError where a sync is not as Git wants it: then nothing of this is certain.
 */
export async function planFingerprint(agent: AgentContext): Promise<FingerprintPlan> {
  refuseUnsettled(agent);
  using bytes = newFingerprintBytes();
  const trial = fingerprintKey(bytes);
  const restarts = new Map<ObjectKey, Set<string>>();
  const [renames, changes]: [ObjectKey[], ObjectKey[]] = [[], []];
  const holds: { sync: string; why: string }[] = [];
  const because = (key: ObjectKey, why: string): void => {
    restarts.set(key, (restarts.get(key) ?? new Set()).add(why));
  };
  for (const sync of agent.syncs.values()) {
    for (const object of sync.desired.values()) {
      if (isWished(object) && (await liveStamp(agent, object)) !== undefined)
        because(object.key, 'its Pods carry the digest of what they read');
    }
    const tried = await tryOut(agent, sync, trial);
    if (tried === undefined) continue;
    renames.push(...tried.gone);
    changes.push(...tried.changes);
    for (const key of tried.restarts) because(key, 'it refers to what is renamed');
    const why = tried.decided.held?.error.why ?? tried.decided.asked?.error.why;
    if (why !== undefined) holds.push({ sync: sync.settings.name, why });
  }
  const named = [...restarts].map(([key, why]) => ({ object: nameOf(key), why: [...why].join(', ') }));
  const found = {
    restarts: named.toSorted((a, b) => (a.object < b.object ? -1 : 1)),
    renames: renames.map(nameOf).toSorted(),
    changes: changes.map(nameOf).toSorted(),
    holds,
  };
  const lines = [
    ...found.restarts.map(({ object }) => `restart ${object}`),
    ...found.renames.map((object) => `rename ${object}`),
    ...found.changes.map((object) => `change ${object}`),
    ...holds.map(({ sync }) => `hold ${sync}`),
  ];
  const total = { restarts: restarts.size, renames: renames.length, changes: changes.length };
  return { planId: planIdOf(`fingerprint ${fingerprintId(agent.fingerprint.current)}`, lines), ...found, total };
}

function nameOf(key: ObjectKey): string {
  return displayObject(objectIdOf(key));
}

interface Tried {
  readonly decided: Plan;
  /** What is made under another name. */
  readonly gone: readonly ObjectKey[];
  readonly restarts: readonly ObjectKey[];
  readonly changes: readonly ObjectKey[];
}

/** The kustomization of a sync built with another key, and what a pass would do then. Undefined: it has none. */
async function tryOut(agent: AgentContext, sync: SyncRuntime, key: FingerprintKey): Promise<Tried | undefined> {
  const { snapshot } = sync;
  const { kustomize } = snapshot ?? {};
  if (snapshot === undefined || kustomize === undefined || !kustomize.scanned.ok) return undefined;
  using opener = agent.opener(sync);
  const { scanned, find } = kustomize;
  const built = await buildWith(
    agent,
    sync,
    { scanned: scanned.result, find },
    { key, opener, recall: () => undefined },
  );
  if (!built.ok) throw built.errors[0] ?? new TypeError('a build that failed for no reason');
  const desired = await renderSet(agent, sync, built);
  const decided = plan(planInput(agent, sync, snapshot, desired, built.refusals));
  const wanted = new Map(desired.objects.map((object) => [object.key, object]));
  const gone = [...sync.desired.keys()].filter((each) => !wanted.has(each));
  const pairs = [...sync.desired.values()].flatMap((object) => {
    const next = wanted.get(object.key);
    return next === undefined ? [] : [{ object, next }];
  });
  const keysOf = (found: readonly (typeof pairs)[number][]): ObjectKey[] => found.map(({ object }) => object.key);
  return {
    decided,
    gone,
    restarts: keysOf(pairs.filter(({ object, next }) => isRestarted(object) && isOtherTemplate(object, next))),
    changes: keysOf(pairs.filter(({ object, next }) => !isRestarted(object) && textOf(object) !== textOf(next))),
  };
}

function isOtherTemplate(object: DesiredObject, next: DesiredObject): boolean {
  return templateDigest(next) !== templateDigest(object);
}

/** Values left out: those are the same. */
function textOf({ tree }: DesiredObject): string {
  return canonicalJson(withoutSecrets(tree, ''));
}

/** A sync that is not as its commit says has digests that a change of the key could not carry over. */
function refuseUnsettled(agent: AgentContext): void {
  for (const sync of agent.syncs.values()) {
    const why = unsettled(agent, sync);
    if (why !== undefined) throw notNow(`sync ${sync.settings.name}: ${why}`);
  }
  const { pauses } = agent.inventory.inventory;
  if (pauses.length > 0) throw notNow('something is paused, and nothing of it could be written anew');
}

function unsettled(agent: AgentContext, sync: SyncRuntime): string | undefined {
  const { report, trouble, stale } = sync;
  if (isAtRest(agent, sync)) return 'it makes no pass';
  const isWhole =
    report !== undefined &&
    trouble === undefined &&
    !stale &&
    !report.retry &&
    report.held === undefined &&
    report.waits.length === 0 &&
    report.syncWait === undefined &&
    report.refusals.length === 0;
  if (isWhole) return undefined;
  if (stale && trouble === undefined) return 'its next pass is due';
  const { state, message } = viewSync(agent, sync);
  return `${state}, ${message}`;
}

function notNow(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-070',
    what: 'the fingerprint key is not changed now',
    why,
    next: 'sotto status; once everything is as in Git and nothing is paused, the same command again',
  });
}
