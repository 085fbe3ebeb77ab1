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
  /** Of earlier turns, in order: what was not ready when its turn was over. The first of them bars the way. */
  readonly #gate: ObjectKey[] = [];
  /** How many of the gate have become ready since. */
  #opened = 0;
  #failedBefore: ObjectKey | undefined;

  constructor(agent: AgentContext, ordering: Ordering, failed: Iterable<ObjectKey>) {
    this.#agent = agent;
    this.#ordering = ordering;
    this.#failed = new Set(failed);
  }

  /** The next stage. With a new turn everything of the turns before has to be ready. */
  enter(turn: Turn): void {
    if (this.#turn !== undefined && compareTurns(this.#turn, turn) !== 0) {
      this.#failedBefore ??= this.#passed.find((key) => this.#failed.has(key));
      for (const key of this.#passed) if (!this.#isReady(key)) this.#gate.push(key);
      this.#passed = [];
    }
    this.#turn = turn;
  }

  passed(keys: readonly ObjectKey[]): void {
    for (const key of keys) this.#passed.push(key);
  }

  ended(key: ObjectKey, end: StepEnd): void {
    if (end.kind === 'refused') this.#failed.add(key);
    else if (end.kind !== 'done') this.#behind.add(key);
  }

  /** Why the object is not applied now; undefined when it may be. */
  obstacle(object: DesiredObject): StepEnd | undefined {
    const own = this.#ordering.needs.get(object.key) ?? [];
    const needs = [...own, ...this.#barring()];
    const failed = own.find((key) => this.#failed.has(key)) ?? this.#failedBefore;
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

  #barring(): readonly ObjectKey[] {
    for (let key = this.#gate[this.#opened]; key !== undefined && this.#isReady(key); key = this.#gate[this.#opened]) {
      this.#opened += 1;
    }
    return this.#gate.slice(this.#opened, this.#opened + MAX_GATE);
  }

  #isReady(key: ObjectKey): boolean {
    return !this.#failed.has(key) && !this.#behind.has(key) && readinessOf(this.#agent, key) === 'ready';
  }
}
