import { asSottoError, SottoError } from '../core/errors.ts';
import { displayObject, objectIdOf, type ObjectKey, objectKey } from '../core/ids.ts';
import { memberAt } from '../core/json.ts';
import { POD_SPEC_PATHS } from '../core/pod-spec.ts';
import type { Refusal } from '../core/refusal.ts';
import type { DesiredObject, DesiredSet } from '../render/desired.ts';
import { circlesOf, wayRound } from './circles.ts';
import { DEPENDS_ON, dependsOn, unusable } from './depends-on.ts';
import { layerOf } from './order.ts';
import { podUses } from './pod-uses.ts';
import { type Rank, remembered } from './rank.ts';
import { compareTurns, displayTurn, type Turn, turnOf } from './turn.ts';

type Place = Pick<Rank, 'layer' | 'depth'>;

/** Objects that may be applied at once, when those of the stages before were. */
export interface Stage {
  readonly turn: Turn;
  readonly place: Place;
  readonly keys: readonly ObjectKey[];
}

/** In which order a set is applied, and what each object needs. Pruning goes the other way round. */
export interface Ordering {
  readonly stages: readonly Stage[];
  /** What has to be ready before an object is applied, besides everything of earlier turns. */
  readonly needs: ReadonlyMap<ObjectKey, readonly ObjectKey[]>;
}

export interface Ordered {
  /** Without the objects that stand in no order, which are refusals of it now. */
  readonly desired: DesiredSet;
  readonly ordering: Ordering;
}

/** Members of a circle of which each is told the way from itself back to itself. */
const MAX_OWN_WAYS = 50;
const MIDDLE: Turn = { phase: 0, wave: 0 };

interface Node {
  readonly object: DesiredObject;
  /** As its annotations say; undefined where they say nothing. */
  readonly own: Turn | undefined;
  readonly needs: readonly ObjectKey[];
}

/**
 * Puts a set into order. What waits for itself is refused, with every place in Git; nothing else is affected.
 * `unopened`: what was refused before the set was made is named and waited for like everything of the sync.
 */
export function ordered(desired: DesiredSet, unopened: readonly Refusal[] = []): Ordered {
  const refusals: Refusal[] = [];
  const nodes = new Map<ObjectKey, Node>();
  const refuse = (object: DesiredObject, error: SottoError): void => {
    nodes.delete(object.key);
    const { file, line, id } = object;
    refusals.push({ error: error.at({ file, line, object: displayObject(id) }), file, id });
  };
  const known = new Set([...desired.objects.map(({ key }) => key), ...refusedKeys([...unopened, ...desired.refusals])]);
  for (const object of desired.objects) {
    try {
      nodes.set(object.key, nodeOf(object, known));
    } catch (thrown) {
      refuse(object, asSottoError(thrown));
    }
  }
  const turns = turnsOf(nodes);
  for (const { object, needs } of nodes.values()) {
    const late = needs.find((key) => compareTurns(turns.get(key) ?? MIDDLE, turnAt(turns, object.key)) > 0);
    if (late !== undefined)
      refuse(object, tooLate(object, turnAt(turns, object.key), late, turnAt(turns, late), nodes));
  }
  const needsIn = (key: ObjectKey): readonly ObjectKey[] =>
    (nodes.get(key)?.needs ?? []).filter((need) => nodes.has(need));
  for (const circle of circlesOf([...nodes.keys()], needsIn)) {
    // Of a long one each member is told the same way round: a way of its own for each would take long to find.
    const [first] = circle;
    const shared = circle.length > MAX_OWN_WAYS && first !== undefined ? wayRound(first, needsIn) : undefined;
    const errors = circle.flatMap((key) => {
      const object = nodes.get(key)?.object;
      return object === undefined ? [] : [{ object, error: inCircle(shared ?? wayRound(key, needsIn), nodes) }];
    });
    for (const { object, error } of errors) refuse(object, error);
  }
  return {
    desired: {
      ...desired,
      objects: desired.objects.filter(({ key }) => nodes.has(key)),
      refusals: [...desired.refusals, ...refusals],
    },
    ordering: { stages: stagesOf(nodes, turns), needs: new Map([...nodes].map(([key, { needs }]) => [key, needs])) },
  };
}

/** What a prune has to know of each object, when Git does not have it any more. */
export function ranksIn({ stages }: Pick<Ordering, 'stages'>): ReadonlyMap<ObjectKey, Rank | undefined> {
  return new Map(
    stages.flatMap(({ turn, place, keys }) => keys.map((key) => [key, remembered(key, { ...turn, ...place })])),
  );
}

/** The agent's own objects are none of the sync, whatever Git says: they are there, and nobody waits for them. */
function refusedKeys(refusals: readonly Refusal[]): ObjectKey[] {
  return refusals.flatMap(({ id, error }) =>
    id === undefined || error.code === 'SOTTO-PLAN-020' ? [] : [objectKey(id)],
  );
}

function turnAt(turns: ReadonlyMap<ObjectKey, Turn>, key: ObjectKey): Turn {
  return turns.get(key) ?? MIDDLE;
}

function nodeOf(object: DesiredObject, known: ReadonlySet<ObjectKey>): Node {
  const named = dependsOn(object.tree, object.id.namespace).map((id) => objectKey(id));
  const unknown = named.find((key) => !known.has(key));
  if (unknown !== undefined)
    throw unusable(
      displayObject(objectIdOf(unknown)),
      'no object of this sync has that name; between syncs there is dependsOn in the settings',
    );
  const references = neededByPods(object).flatMap((key) => [key, sealedTwin(key)].filter((each) => known.has(each)));
  return { object, own: turnOf(object.tree), needs: [...new Set([...named, ...references])] };
}

/** What the Pods of a workload cannot start without. Their account has nothing to wait for: its kind comes first. */
function neededByPods({ id, tree }: DesiredObject): ObjectKey[] {
  const path = POD_SPEC_PATHS[`${id.group}/${id.kind}`];
  if (path === undefined) return [];
  const needed = podUses(memberAt(tree, ...path), id.namespace).filter(({ isOptional }) => !isOptional);
  return needed.map(({ key }) => key).filter((key) => objectIdOf(key).kind !== 'ServiceAccount');
}

/** A Secret that a SealedSecret of the same sync brings, through its controller. */
function sealedTwin(key: ObjectKey): ObjectKey {
  const id = objectIdOf(key);
  return id.kind === 'Secret' ? objectKey({ ...id, group: 'bitnami.com', kind: 'SealedSecret' }) : key;
}

const CONFIGURATION: ReadonlySet<string> = new Set(['/Secret', '/ConfigMap', 'bitnami.com/SealedSecret']);

/** Configuration that says nothing of its turn is there before the first that refers to it. */
function turnsOf(nodes: ReadonlyMap<ObjectKey, Node>): ReadonlyMap<ObjectKey, Turn> {
  const turns = new Map<ObjectKey, Turn>([...nodes].map(([key, { own }]) => [key, own ?? MIDDLE]));
  for (const { object, needs } of nodes.values()) {
    const turn = turnAt(turns, object.key);
    for (const need of needs) {
      const target = nodes.get(need);
      if (target === undefined || target.own !== undefined || !isConfiguration(target)) continue;
      if (compareTurns(turn, turnAt(turns, need)) < 0) turns.set(need, turn);
    }
  }
  return turns;
}

function isConfiguration({ object: { id }, needs }: Node): boolean {
  return needs.length === 0 && CONFIGURATION.has(`${id.group}/${id.kind}`);
}

/** By turn, then by the table of kinds, then by what is needed first; what is needed comes before, whatever its kind. */
function stagesOf(nodes: ReadonlyMap<ObjectKey, Node>, turns: ReadonlyMap<ObjectKey, Turn>): Stage[] {
  const places = new Map<ObjectKey, Place>();
  for (const key of needsFirst(nodes)) {
    const node = nodes.get(key);
    if (node === undefined) continue;
    const turn = turnAt(turns, key);
    const before = node.needs.flatMap((need) => {
      const place = compareTurns(turnAt(turns, need), turn) === 0 ? places.get(need) : undefined;
      return place === undefined ? [] : [place];
    });
    const layer = before.reduce((latest, place) => Math.max(latest, place.layer), layerOf(node.object.id));
    const depth = before.reduce(
      (deepest, place) => (place.layer === layer ? Math.max(deepest, place.depth) : deepest),
      -1,
    );
    places.set(key, { layer, depth: depth + 1 });
  }
  const groups = Map.groupBy(places, ([key, { layer, depth }]) => {
    const { phase, wave } = turnAt(turns, key);
    return `${phase} ${wave} ${layer} ${depth}`;
  });
  const stages = [...groups.values()].flatMap((group) => {
    const [first] = group;
    return first === undefined
      ? []
      : [{ turn: turnAt(turns, first[0]), place: first[1], keys: group.map(([key]) => key) }];
  });
  return stages.toSorted(
    (a, b) => compareTurns(a.turn, b.turn) || a.place.layer - b.place.layer || a.place.depth - b.place.depth,
  );
}

/** Every object after what it needs. There is no circle any more. */
function needsFirst(nodes: ReadonlyMap<ObjectKey, Node>): ObjectKey[] {
  const left = new Map<ObjectKey, number>();
  const dependents = new Map<ObjectKey, ObjectKey[]>();
  for (const [key, { needs }] of nodes) {
    const inside = needs.filter((need) => nodes.has(need));
    left.set(key, inside.length);
    for (const need of inside) {
      const known = dependents.get(need);
      if (known === undefined) dependents.set(need, [key]);
      else known.push(key);
    }
  }
  const order = [...left].filter(([, count]) => count === 0).map(([key]) => key);
  for (const key of order) {
    for (const dependent of dependents.get(key) ?? []) {
      const count = (left.get(dependent) ?? 0) - 1;
      left.set(dependent, count);
      if (count === 0) order.push(dependent);
    }
  }
  return order;
}

const MAX_NAMED = 6;

function inCircle(way: readonly ObjectKey[], nodes: ReadonlyMap<ObjectKey, Node>): SottoError {
  const named = (keys: readonly ObjectKey[]): string[] => keys.map((key) => placeOf(key, nodes));
  const shown =
    way.length <= MAX_NAMED ? named(way) : [...named(way.slice(0, MAX_NAMED - 1)), '…', ...named(way.slice(-1))];
  return new SottoError({
    code: 'SOTTO-PLAN-062',
    what: 'objects wait for each other in a circle',
    why: shown.join(' → '),
    next: `take one of them out of the circle: remove ${DEPENDS_ON} from it, or the reference`,
  });
}

function tooLate(
  object: DesiredObject,
  turn: Turn,
  need: ObjectKey,
  needTurn: Turn,
  nodes: ReadonlyMap<ObjectKey, Node>,
): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-062',
    what: 'objects wait for each other in a circle',
    why: `${placeOf(object.key, nodes)} of ${displayTurn(turn)} needs ${placeOf(need, nodes)} of ${displayTurn(needTurn)}, whose turn comes after it`,
    next: 'give what is needed the same wave or hook, or an earlier one',
  });
}

function placeOf(key: ObjectKey, nodes: ReadonlyMap<ObjectKey, Node>): string {
  const object = nodes.get(key)?.object;
  const name = displayObject(objectIdOf(key));
  return object === undefined ? name : `${name} (${object.file}:${object.line})`;
}
