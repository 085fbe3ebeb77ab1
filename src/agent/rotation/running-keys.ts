import type { RotationOfKeys } from '../../keys/rotations.ts';
import type { RotationStatus } from '../../report/status.ts';
import type { Wanted } from '../reach.ts';
import type { SyncRuntime } from '../sync-runtime.ts';

type Syncs = ReadonlyMap<string, SyncRuntime>;

/** Which keys the files name that run now. Lives as long as the agent. */
export class RunningKeys {
  /** By snapshot, which is never changed: the names that were looked for in its files. */
  readonly #named = new WeakMap<Wanted, Map<string, boolean>>();

  /** Which of the two keys the files name that run now; `unknown` while a sync has not applied what it has read. */
  runs(syncs: Syncs, { old, made }: Pick<RotationOfKeys, 'old' | 'made'>): RotationStatus['runs'] {
    if (![...syncs.values()].every(isApplied)) return 'unknown';
    const [isOld, isNew] = [this.#isNamed(syncs, old), this.#isNamed(syncs, made)];
    if (isOld) return isNew ? 'both' : 'old';
    return isNew ? 'new' : 'neither';
  }

  /**
   * Whether the old key of a rotation only opens from now on: of one that the agent has pushed, once everything that runs
   * is for the new key, and for no other key of the same Secret, which would be marked along.
   */
  isDue(syncs: Syncs, rotation: RotationOfKeys): boolean {
    const { pushed, before } = rotation;
    if (pushed === undefined || before.state !== 'active' || this.runs(syncs, rotation) !== 'new') return false;
    return !before.beside.some((recipient) => this.#isNamed(syncs, recipient));
  }

  #isNamed(syncs: Syncs, recipient: string): boolean {
    return [...syncs.values()].some(({ snapshot }) => snapshot !== undefined && this.#names(snapshot, recipient));
  }

  /** As it stands in the text: what only looks like the recipient counts too. */
  #names(snapshot: Wanted, recipient: string): boolean {
    const known = this.#named.get(snapshot) ?? new Map<string, boolean>();
    this.#named.set(snapshot, known);
    const before = known.get(recipient);
    if (before !== undefined) return before;
    const found = snapshot.files.some(({ bytes }) =>
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(recipient),
    );
    known.set(recipient, found);
    return found;
  }
}

function isApplied({ snapshot, trouble, report }: SyncRuntime): boolean {
  return snapshot !== undefined && trouble === undefined && report?.appliedRevision === snapshot.revision;
}
