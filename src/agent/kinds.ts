import { objectIdOf } from '../core/ids.ts';
import type { ResourceCatalog } from '../kube/discovery.ts';
import { apiVersionOf, type Resource } from '../kube/resource.ts';
import type { InventoryRow } from '../plan/inventory.ts';
import type { SyncRuntime } from './sync-runtime.ts';

const FIRST_DELAY_MS = 2_000;
const MAX_DELAY_MS = 300_000;

export interface KindsOptions {
  /** Throws SottoError. */
  discover(): Promise<ResourceCatalog>;
  /** What is waited for now, each `apiVersion Kind` or a name of whoever waits. Empty: nobody asks again. */
  waiting(): readonly string[];
  /** Asked again, by whomever: each change is told once. */
  onAsked(before: ResourceCatalog, now: ResourceCatalog): void;
  onError(thrown: unknown): void;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * The kinds that the API server serves. No right of a namespace allows to watch them, so they are asked for again, later
 * and later, while something waits for one, and at no other time.
 */
export class Kinds {
  readonly #options: KindsOptions;
  #catalog: ResourceCatalog;
  #timer: NodeJS.Timeout | undefined;
  #waitedFor = '';
  #rounds = 0;
  #closed = false;
  /** The timer of it is over, and the next one begins when it has ended. */
  #isAsking = false;

  constructor(first: ResourceCatalog, options: KindsOptions) {
    this.#catalog = first;
    this.#options = options;
  }

  get catalog(): ResourceCatalog {
    return this.#catalog;
  }

  async refresh(): Promise<void> {
    const now = await this.#options.discover();
    const before = this.#catalog;
    this.#catalog = now;
    if (!this.#closed) this.#options.onAsked(before, now);
  }

  /** Somebody may have begun to wait, or ceased to. Cheap. */
  check(): void {
    const names = [...new Set(this.#options.waiting())].toSorted().join('\n');
    const isOther = names !== this.#waitedFor;
    this.#waitedFor = names;
    if (isOther || names === '' || this.#closed) this.#disarm();
    if (isOther) this.#rounds = 0;
    if (names !== '' && !this.#closed && !this.#isAsking)
      this.#timer ??= setTimeout(() => void this.#ask(), this.#delayMs());
  }

  close(): void {
    this.#closed = true;
    this.#disarm();
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #delayMs(): number {
    return askAfterMs(this.#rounds, this.#options.random());
  }

  async #ask(): Promise<void> {
    this.#timer = undefined;
    this.#isAsking = true;
    this.#rounds += 1;
    try {
      await this.refresh();
    } catch (thrown) {
      this.#options.onError(thrown);
    }
    this.#isAsking = false;
    this.check();
  }
}

/** Doubled each time: what is waited for comes, on average, after as long again as it was waited for. */
export function askAfterMs(rounds: number, random: number): number {
  return Math.round(Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(rounds, 20)) * (1 + 0.2 * random));
}

/** `apiVersion Kind` of what one of the two catalogs has and the other has not. */
export function changedKinds(before: ResourceCatalog, now: ResourceCatalog): ReadonlySet<string> {
  const [was, is] = [namesOf(before), namesOf(now)];
  return new Set([...was, ...is].filter((name) => was.has(name) !== is.has(name)));
}

function namesOf({ resources }: ResourceCatalog): Set<string> {
  return new Set(resources.map((resource) => `${apiVersionOf(resource)} ${resource.kind}`));
}

/** Who waits for a kind: syncs whose documents name one, objects that were applied, and streams that ended with theirs. */
export function waitedFor(
  syncs: Iterable<SyncRuntime>,
  rows: Iterable<InventoryRow>,
  catalog: ResourceCatalog,
  gone: readonly Resource[],
): string[] {
  const active = [...syncs].filter(({ settings }) => !settings.suspend);
  const names = new Set(active.map(({ settings }) => settings.name));
  const ours = [...rows].filter((row) => names.has(row.sync));
  const unserved = ours.filter(({ apiVersion, key }) => catalog.find(apiVersion, objectIdOf(key).kind) === undefined);
  // The catalog may not know yet what its stream has found out.
  const ended = gone.filter((resource) => ours.some((row) => isOfKind(row, resource)));
  return [
    ...active.flatMap(({ unknownKinds, settings }) => unknownKinds.map((kind) => `${settings.name} ${kind}`)),
    ...unserved.map(kindOfRow),
    ...ended.map((resource) => `${apiVersionOf(resource)} ${resource.kind}`),
  ];
}

export function kindOfRow({ apiVersion, key }: Pick<InventoryRow, 'apiVersion' | 'key'>): string {
  return `${apiVersion} ${objectIdOf(key).kind}`;
}

export function isOfKind(row: Pick<InventoryRow, 'apiVersion' | 'key'>, resource: Resource): boolean {
  return kindOfRow(row) === `${apiVersionOf(resource)} ${resource.kind}`;
}
