import { describe, expect, it } from 'vitest';
import { needsOf } from '../../src/cli/keys/needs.ts';
import { pendingKey } from '../../src/cli/rotate/cluster-keys.ts';
import { checkSealingSettings } from '../../src/cli/rotate/cluster-sealing.ts';
import type { ParsedKeySecret } from '../../src/keys/parse-keys.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { repositoryOf } from '../authoring/rotation/repository.ts';
import { errorOf } from '../sealed/material.ts';

const COMMIT = 'a'.repeat(40);

function keySecret(name: string, annotations: Readonly<Record<string, string>> = {}): ParsedKeySecret {
  const { identity, keyFile } = makeIdentity(new Date());
  keyFile.wipe();
  const mark = { name, labels: { 'sotto.dev/use': 'keys' }, annotations };
  return { mark, ageIdentities: [identity], pgpIdentities: [], sealingKey: undefined, credentials: [], problems: [] };
}

function recipientOf({ ageIdentities: [identity] }: ParsedKeySecret): string {
  return identity?.recipient ?? '';
}

describe('the key that an interrupted rotation has made', () => {
  const replaces = { 'sotto.dev/replaces': 'age1old' };

  it('is taken for the key that it replaces, and for no other', () => {
    const made = keySecret('made', replaces);
    expect(pendingKey({ secrets: [keySecret('other'), made] }, 'age1old')).toMatchObject({ secret: 'made' });
    expect(pendingKey({ secrets: [made] }, 'age1other')).toBeUndefined();
  });

  it('is not taken once it is on its way out itself', () => {
    for (const state of ['decrypt-only', 'retired'])
      expect(pendingKey({ secrets: [keySecret('made', { ...replaces, 'sotto.dev/state': state })] }, 'age1old')).toBe(
        undefined,
      );
  });
});

describe('a new sealing key', () => {
  const settings = { enabled: true, secretNames: [], certificate: undefined, recovery: [] };

  it('is made only where the settings let the agent make it, and nobody has pinned the one in use', async () => {
    expect(() => checkSealingSettings(settings, 'team')).not.toThrow();
    for (const [others, why] of [
      [{ enabled: false }, 'sealing.enabled is not set'],
      [{ secretNames: ['own'] }, 'sealing.keys names those that may seal'],
      [{ certificate: 'f'.repeat(64) }, 'sealing.certificate pins the one in use'],
    ] as const) {
      const error = await errorOf(() => checkSealingSettings({ ...settings, ...others }, 'team'));
      expect(error).toMatchObject({ code: 'SOTTO-ROTATE-017', why: expect.stringContaining(why) as string });
    }
  });
});

describe('a key that is to be retired', () => {
  const [going, other] = [keySecret('going'), keySecret('other')];
  const retired = keySecret('retired', { 'sotto.dev/state': 'retired' });
  const names = (...secrets: readonly ParsedKeySecret[]): string[] =>
    needsOf(
      going,
      [going, other, retired],
      [
        {
          commit: COMMIT as never,
          branches: ['main'],
          documents: repositoryOf({ 'a.yaml': [secrets.map(recipientOf)] }),
        },
      ],
      'team',
    ).map(({ file }) => file);

  it('is needed by a file that no other key of the agent opens; one that is retired opens nothing', () => {
    expect(names(going)).toEqual(['a.yaml']);
    expect(names(going, retired)).toEqual(['a.yaml']);
    expect(names(going, other)).toEqual([]);
    expect(names(other)).toEqual([]);
  });

  it('is needed by a file that cannot be read and names it', () => {
    const unread = [going, other].map((secret, index) => ({
      path: `${index}.env`,
      why: 'it is no UTF-8 text',
      bytes: Buffer.concat([
        Buffer.from([0xff]),
        Buffer.from(`sops_age__list_0__map_recipient=${recipientOf(secret)}`),
      ]),
    }));
    const heads = [{ commit: COMMIT as never, branches: ['main'], documents: { ...repositoryOf({}), unread } }];
    expect(needsOf(going, [going, other], heads, 'team')).toEqual([{ branches: ['main'], file: '0.env' }]);
  });
});
