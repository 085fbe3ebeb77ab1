import type { ObjectKey } from '../core/ids.ts';

/** `ready`: what depends on it may be applied. `settled`: no rollout of it is under way. */
export type Until = 'ready' | 'settled';

/** Something that goes on once all of these objects are so far. */
export interface Awaits {
  readonly until: Until;
  readonly on: readonly ObjectKey[];
}

/**
 * What the last pass of each sync left waiting for objects, by object, so that an event looks at what waits for that
 * object alone. Each wait stands under one object that holds it up: when that one is so far it goes to the next, and
 * however often the others change meanwhile, it is not looked at.
 */
export class Awaited {
  readonly #isOver: (until: Until, key: ObjectKey) => boolean;
  readonly #syncs = new Map<string, Map<string, Awaits[]>>();

  constructor(isOver: (until: Until, key: ObjectKey) => boolean) {
    this.#isOver = isOver;
  }

  /** What a pass has left, in place of what the one before had. Tells whether something of it may go on already. */
  begin(sync: string, waits: Iterable<Awaits>): boolean {
    const standing = new Map<string, Awaits[]>();
    this.#syncs.set(sync, standing);
    const [due] = this.#stand(standing, waits);
    if (due !== undefined) this.#syncs.delete(sync);
    return due !== undefined;
  }

  /** An object changed: the syncs in which something may go on. Nothing more is said of them before their next pass. */
  changed(key: ObjectKey): string[] {
    return [...this.#syncs].filter(([sync, standing]) => this.#isDue(sync, standing, key)).map(([sync]) => sync);
  }

  forget(sync: string): void {
    this.#syncs.delete(sync);
  }

  #isDue(sync: string, standing: Map<string, Awaits[]>, key: ObjectKey): boolean {
    for (const until of UNTIL) {
      const waits = standing.get(placeOf(until, key));
      if (waits === undefined || !this.#isOver(until, key)) continue;
      standing.delete(placeOf(until, key));
      const [due] = this.#stand(standing, waits);
      if (due === undefined) continue;
      this.#syncs.delete(sync);
      return true;
    }
    return false;
  }

  /**
   * Puts each under the last object that holds it up, which mostly is the last to be so far; yields what nothing holds up.
   */
  *#stand(standing: Map<string, Awaits[]>, waits: Iterable<Awaits>): Generator<Awaits> {
    for (const wait of waits) {
      const last = wait.on.findLast((key) => !this.#isOver(wait.until, key));
      if (last === undefined) {
        yield wait;
        continue;
      }
      const place = placeOf(wait.until, last);
      const others = standing.get(place);
      if (others === undefined) standing.set(place, [wait]);
      else others.push(wait);
    }
  }
}

const UNTIL: readonly Until[] = ['ready', 'settled'];

function placeOf(until: Until, key: ObjectKey): string {
  return `${until} ${key}`;
}
