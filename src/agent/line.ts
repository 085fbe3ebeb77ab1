import { displayObject, type ObjectKey, objectIdOf } from '../core/ids.ts';
import type { Ordering } from '../plan/ordering.ts';
import { compareTurns, type Turn } from '../plan/turn.ts';
import type { DesiredObject } from '../render/desired.ts';
import type { AgentContext } from './context.ts';
import type { StepEnd } from './step-end.ts';
import { needsOther, readinessOf } from './waits.ts';

/** Named to those that wait for a whole turn; once these are ready the next pass names others. */
const MAX_GATE = 20;

/** Who of one pass may go now. Nobody stands and waits: whose turn has not come is told so, and a later pass takes it. */
export class Line {
  readonly #agent: AgentContext;
  readonly #ordering: Ordering;
  readonly #failed: Set<ObjectKey>;
  /** To be applied by this plan, and not done. */
  readonly #behind = new Set<ObjectKey>();
  #turn: Turn | undefined;
  #passed: ObjectKey[] = [];
  #gate: readonly ObjectKey[] = [];

  constructor(agent: AgentContext, ordering: Ordering, failed: Iterable<ObjectKey>) {
    this.#agent = agent;
    this.#ordering = ordering;
    this.#failed = new Set(failed);
  }

  /** The next stage. With a new turn everything of the turns before has to be ready. */
  enter(turn: Turn): void {
    if (this.#turn !== undefined && compareTurns(this.#turn, turn) !== 0) {
      // Enough of them bar the way; whatever comes behind waits for these first.
      if (this.#gate.length < MAX_GATE) {
        this.#gate = [...this.#gate, ...this.#passed].filter((key) => !this.#isReady(key));
      }
      this.#passed = [];
    }
    this.#turn = turn;
  }

  passed(keys: readonly ObjectKey[]): void {
    this.#passed.push(...keys);
  }

  ended(key: ObjectKey, end: StepEnd): void {
    if (end.kind === 'refused') this.#failed.add(key);
    else if (end.kind !== 'done') this.#behind.add(key);
  }

  /** Why the object is not applied now; undefined when it may be. */
  obstacle(object: DesiredObject): StepEnd | undefined {
    const own = this.#ordering.needs.get(object.key) ?? [];
    const needs = [...own, ...this.#gate.slice(0, MAX_GATE)];
    const failed = own.find((key) => this.#failed.has(key)) ?? this.#gate.find((key) => this.#failed.has(key));
    if (failed !== undefined) {
      const { file, line, id } = object;
      const why = `${displayObject(objectIdOf(failed))} is not as Git wants it`;
      const error = needsOther(failed, why).at({ file, line, object: displayObject(id) });
      return { kind: 'refused', refusal: { error, file, id }, again: false };
    }
    const behind = needs.filter((key) => this.#behind.has(key));
    const on = needs.filter((key) => !this.#behind.has(key) && readinessOf(this.#agent, key) !== 'ready');
    if (behind.length + on.length === 0) return undefined;
    const { id, key, file, line } = object;
    return { kind: 'waits', waiting: { object: { id, key, file, line }, on, behind } };
  }

  #isReady(key: ObjectKey): boolean {
    return !this.#failed.has(key) && !this.#behind.has(key) && readinessOf(this.#agent, key) === 'ready';
  }
}
