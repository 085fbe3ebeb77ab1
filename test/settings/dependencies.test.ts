import { describe, expect, it } from 'vitest';
import { brokenDependencies } from '../../src/settings/dependencies.ts';

/** Asked directly: the settings refuse the field as a whole in this version. */
function broken(needs: Readonly<Record<string, readonly string[]>>) {
  return brokenDependencies(Object.entries(needs).map(([name, dependsOn]) => ({ name, dependsOn })));
}

const placed = (needs: Readonly<Record<string, readonly string[]>>): string[] =>
  broken(needs).map(({ code, path }) => `${code} ${path.join('.')}`);

describe('syncs that come first', () => {
  it('are names of other syncs', () => {
    expect(broken({ app: ['infra', 'crds'], infra: ['crds'], crds: [] })).toEqual([]);
    const [unknown] = broken({ app: ['infra', 'bases'], infra: [] });
    expect(unknown).toMatchObject({ code: 'SOTTO-CONF-013', path: ['syncs', 0, 'dependsOn', 1] });
    expect(unknown?.why).toContain('app, infra');
  });

  it('wait for nobody that waits for them, near or far, and for themselves least of all', () => {
    expect(placed({ app: ['app'] })).toEqual(['SOTTO-CONF-014 syncs.0.dependsOn.0']);
    const circle = { a: ['b'], b: ['c'], c: ['a'], d: ['a'] };
    expect(placed(circle)).toEqual([0, 1, 2].map((at) => `SOTTO-CONF-014 syncs.${at}.dependsOn.0`));
    expect(broken(circle)[0]?.why).toContain('a waits for b waits for c waits for a');
  });
});
