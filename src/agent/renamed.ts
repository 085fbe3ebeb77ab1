import { sourceDigest } from '../core/digest.ts';
import type { SourceDigest } from '../core/ids.ts';
import type { SyncSettings } from '../settings/settings.ts';
import type { AgentContext } from './context.ts';
import type { SyncRuntime } from './sync-runtime.ts';

/** What makes a sync of another name the same one: repository, branch and path. */
export function sourceOfSync({ source, path }: Pick<SyncSettings, 'source' | 'path'>): SourceDigest {
  return sourceDigest('source', source.git.url, source.git.branch, path);
}

/**
 * The rows of a sync that the settings do not have any more are this one's where it comes from the same place: what left
 * Git together with the rename is judged and pruned like anything else. Where two come from there, nothing is certain.
 */
export function takeRenamed(agent: AgentContext, sync: SyncRuntime): void {
  const { inventory } = agent.inventory;
  const { name } = sync.settings;
  const source = sourceOfSync(sync.settings);
  const { syncs } = agent.settings();
  const names = new Set(syncs.map((each) => each.name));
  const former = Object.keys(inventory.sources).filter(
    (each) => !names.has(each) && inventory.sources[each] === source,
  );
  if (former.length === 0 || syncs.filter((each) => sourceOfSync(each) === source).length !== 1) return;
  for (const row of inventory.rows.values()) {
    if (former.includes(row.sync)) agent.inventory.set({ ...row, sync: name });
  }
  for (const each of former) agent.inventory.setSource(each, undefined);
  agent.log.info('the sync was renamed', { sync: name, from: former });
}

/** With each pass. What nobody has a row of is forgotten. */
export function rememberSource(agent: AgentContext, sync: SyncRuntime): void {
  const { rows, sources } = agent.inventory.inventory;
  const known = new Set([
    ...agent.settings().syncs.map(({ name }) => name),
    ...[...rows.values()].map((row) => row.sync),
  ]);
  for (const name of Object.keys(sources)) if (!known.has(name)) agent.inventory.setSource(name, undefined);
  agent.inventory.setSource(sync.settings.name, sourceOfSync(sync.settings));
}
