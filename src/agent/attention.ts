import type { ErrorJson, SottoError } from '../core/errors.ts';
import { displayObject, objectIdOf, type ObjectKey } from '../core/ids.ts';
import { shellWord } from '../core/shell-word.ts';
import { EXPRESSION_FAILED } from '../health/by-expression.ts';
import type { Health } from '../health/result.ts';
import type { InventoryRow } from '../plan/inventory.ts';
import type { Attention } from '../report/status.ts';
import type { AgentContext } from './context.ts';
import { healthOf, isEndedAndGone } from './readiness.ts';
import type { SyncRuntime } from './sync-runtime.ts';
import type { SyncWait } from './sync-turn.ts';

/** What the state of a sync is told from. */
export interface Seen {
  readonly rows: readonly InventoryRow[];
  /** Objects that are not ready within `timeout`. */
  readonly late: ReadonlySet<ObjectKey>;
  /** Of each object whose turn has not come, why. */
  readonly waits: readonly SottoError[];
  readonly dependency: SyncWait | undefined;
}

/** What is not as Git has it, with the next step for each. */
export function attentionOf(
  agent: AgentContext,
  sync: SyncRuntime,
  { rows, late, waits, dependency }: Seen,
): Attention[] {
  const { report, standIn } = sync;
  const first = dependency === undefined ? [] : [syncWaits(dependency, agent.place.agentNamespace)];
  const unused = standIn?.kind === 'unusable' ? [standIn.error] : [];
  const all = [...(sync.trouble?.all ?? []), ...unused].map((error) => attention(error));
  const refused = [...(report?.refusals ?? []).map(({ error }) => error), ...waits].map((error) => attention(error));
  const waiting = (report?.waiting ?? []).map(({ row, error }) =>
    attention(error.at({ file: row.file, line: row.line })),
  );
  const warned = (report?.warnings ?? []).map((error) => attention(error));
  const held = report?.held === undefined ? [] : [attention(report.held.error)];
  const rewound = sync.snapshot?.rewound === undefined ? [] : [rewoundNote(sync.snapshot.rewound.from)];
  const named = new Set([...refused, ...waiting].map((item) => item.object));
  const unreadyOnes = unready(agent, sync, rows, late).filter(({ object }) => !named.has(object));
  const blocked = [...[...sync.blocked.values()].map(({ error }) => error), ...sync.fights.values()]
    .map((error) => attention(error))
    .filter(({ object }) => !named.has(object));
  const unlooked = sync.settings.health.strict && sync.settings.wait ? agent.podTrouble() : undefined;
  const pods = unlooked === undefined ? [] : [attention(unlooked)];
  return [
    ...first,
    ...all,
    ...refused,
    ...waiting,
    ...warned,
    ...held,
    ...rewound,
    ...blocked,
    ...unreadyOnes,
    ...pods,
  ];
}

function syncWaits({ kind, on, why }: SyncWait, namespace: string): Attention {
  return kind === 'waits'
    ? {
        code: 'SOTTO-PLAN-120',
        message: `the sync waits: ${why}`,
        next: `nothing to do: it goes on when ${on} is ready`,
      }
    : {
        code: 'SOTTO-PLAN-121',
        message: `the sync waits: ${why}`,
        next: `sotto status -n ${namespace}   (mend what it says of sync ${on}; this one follows by itself)`,
      };
}

export function attention(error: SottoError): Attention {
  const json: ErrorJson = error.toJSON();
  const { code, message, object, file, line, key, next } = json;
  return { code, message, object, file, line, key, next };
}

function rewoundNote(from: string): Attention {
  return {
    code: 'SOTTO-GIT-018',
    message: `rewound: the branch does not come after ${from.slice(0, 12)}, the commit applied before; it is followed`,
    next: 'nothing, if the branch was rewritten on purpose; to refuse such commits set requireFastForward: true',
  };
}

/** Failed at once, still in progress only after the timeout. */
function unready(
  agent: AgentContext,
  sync: SyncRuntime,
  rows: readonly InventoryRow[],
  late: ReadonlySet<ObjectKey>,
): Attention[] {
  if (!sync.settings.wait) return [];
  return rows.flatMap((row) => {
    const state = healthOf(agent, row);
    const health = agent.live.health(row.key);
    if (state !== 'Current' && health?.reason === EXPRESSION_FAILED) return [unjudged(row, health)];
    if (state === 'Current' || (state === 'InProgress' && !late.has(row.key))) return [];
    if (isEndedAndGone(agent, row)) return [failedAndGone(row)];
    const id = objectIdOf(row.key);
    const why = health === undefined ? 'it is not there' : `${health.reason}: ${health.message}`;
    const item: Attention = {
      code: 'SOTTO-PLAN-011',
      message: `${state === 'Failed' ? 'the object failed' : 'the object is not ready in time'}: ${why}`,
      object: displayObject(id),
      file: row.file,
      line: row.line,
      next: `kubectl describe ${id.kind.toLowerCase()} ${shellWord(id.name)} -n ${id.namespace}`,
    };
    return [item];
  });
}

/** Its TTL, or somebody, removed it: it is not run again for that. */
function failedAndGone({ key, file, line }: InventoryRow): Attention {
  const { namespace } = objectIdOf(key);
  const object = displayObject(objectIdOf(key));
  return {
    code: 'SOTTO-PLAN-011',
    message: 'the object failed: it ended, and is gone since',
    object,
    file,
    line,
    next: `change it in Git: it is run again then   (kubectl get events -n ${namespace})`,
  };
}

/** Waiting does not mend an expression. */
function unjudged({ key, file, line }: InventoryRow, { message }: Health): Attention {
  return {
    code: 'SOTTO-PLAN-071',
    message: `whether the object is ready cannot be told: ${message}`,
    object: displayObject(objectIdOf(key)),
    file,
    line,
    next: 'correct the expression for this kind in syncs[].health.expressions of the settings',
  };
}
