import { describe, expect, it } from 'vitest';
import { parseSettings } from '../../src/settings/parse.ts';
import { brokenDependencies } from '../../src/settings/dependencies.ts';
import { MINIMAL } from './example.ts';

const OTHER = `- name: infra
  source: { git: { url: https://git.example.com/team/app.git, ref: { branch: main } } }
  path: ./infra
`;

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

  it('are taken from the settings, and a mistake is told with its line', () => {
    const good = `${MINIMAL}  dependsOn: [ infra ]\n${OTHER}`;
    const parsed = parseSettings(good, 'sotto.yaml');
    expect(parsed.ok && parsed.settings.syncs.map(({ dependsOn }) => dependsOn)).toEqual([['infra'], []]);
    const circle = parseSettings(`${good}  dependsOn: [ app ]\n`, 'sotto.yaml');
    expect(!circle.ok && circle.problems.map(({ code, place }) => `${code} ${place.line} ${place.key}`)).toEqual([
      'SOTTO-CONF-014 10 syncs[0].dependsOn[0]',
      'SOTTO-CONF-014 14 syncs[1].dependsOn[0]',
    ]);
  });
});
