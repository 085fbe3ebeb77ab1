import { describe, expect, it } from 'vitest';
import { rememberSource, sourceOfSync, takeRenamed } from '../../src/agent/renamed.ts';
import type { SyncSettings } from '../../src/settings/settings.ts';
import { keyOf, nobody, row, runtime, syncSettings, testAgent } from './fixture.ts';

/** The inventory knows sync `old` of the path `deploy`, with one object; these are the settings now. */
function renamedTo(...syncs: readonly SyncSettings[]) {
  const runtimes = syncs.map((settings) => runtime(settings.name, { settings }));
  const agent = testAgent(nobody(), runtimes);
  const settings = { ...agent.context.settings(), syncs };
  const context = { ...agent.context, settings: () => settings };
  agent.inventory.set(row('ConfigMap', 'left', { sync: 'old' }));
  agent.inventory.setSource('old', sourceOfSync(syncSettings('old', { path: 'deploy' })));
  for (const sync of runtimes) {
    takeRenamed(context, sync);
    rememberSource(context, sync);
  }
  const { sources } = agent.inventory.inventory;
  return { owner: agent.inventory.row(keyOf('ConfigMap', 'left'))?.sync, sources: Object.keys(sources).toSorted() };
}

const deploy = (name: string, more: Partial<SyncSettings> = {}) => syncSettings(name, { path: 'deploy', ...more });

describe('a sync that was renamed', () => {
  it('has what it applied under the name before, whatever else of it changed', () => {
    expect(renamedTo(deploy('new', { prune: { enabled: true, maxSharePercent: 1, minimum: 0, ask: [] } }))).toEqual({
      owner: 'new',
      sources: ['new'],
    });
  });

  it('is none that comes from elsewhere, or that stands beside the one before', () => {
    expect(renamedTo(syncSettings('new', { path: 'other' }))).toEqual({ owner: 'old', sources: ['new', 'old'] });
    const { source } = syncSettings('new');
    const prod = deploy('new', { source: { ...source, git: { ...source.git, branch: 'prod' } } });
    expect(renamedTo(prod)).toMatchObject({ owner: 'old' });
    expect(renamedTo(deploy('new'), deploy('old'))).toMatchObject({ owner: 'old' });
  });

  it('is not guessed where two come from the same place', () => {
    expect(renamedTo(deploy('new'), deploy('newer'))).toMatchObject({ owner: 'old', sources: ['new', 'newer', 'old'] });
  });

  it('is forgotten under a name of which no object is left', () => {
    const agent = testAgent(nobody());
    const sync = runtime('new');
    agent.inventory.setSource('old', sourceOfSync(deploy('old')));
    rememberSource(agent.context, sync);
    expect(Object.keys(agent.inventory.inventory.sources)).toEqual(['new']);
  });
});
