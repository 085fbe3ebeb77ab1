import type { SyncSettings } from '../settings/settings.ts';

type Ordered = Pick<SyncSettings, 'name' | 'dependsOn' | 'timeoutMs'>;

/** Those that come first before those that depend on them, otherwise as the settings have them. */
export function inTurn<T extends { readonly settings: Pick<Ordered, 'name' | 'dependsOn'> }>(
  syncs: readonly T[],
): readonly T[] {
  const byName = new Map(syncs.map((sync) => [sync.settings.name, sync]));
  const placed = new Set<T>();
  const seen = new Set<T>();
  const place = (sync: T): void => {
    if (seen.has(sync)) return;
    seen.add(sync);
    for (const name of sync.settings.dependsOn) {
      const first = byName.get(name);
      if (first !== undefined) place(first);
    }
    placed.add(sync);
  };
  for (const sync of syncs) place(sync);
  return [...placed];
}

/** How long a sync may take from the start: its own timeout, after the longest way through those that come first. */
export function patienceMs(name: string, syncs: readonly Ordered[]): number {
  const known = new Map<string, number>();
  for (const { settings } of inTurn(syncs.map((each) => ({ settings: each })))) {
    const before = settings.dependsOn.map((first) => known.get(first) ?? 0);
    known.set(settings.name, settings.timeoutMs + Math.max(0, ...before));
  }
  return known.get(name) ?? 0;
}
