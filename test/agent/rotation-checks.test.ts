import { describe, expect, it } from 'vitest';
import { checkSealing } from '../../src/agent/rotation/new-key.ts';
import type { HeldKey } from '../../src/agent/rotation/goal.ts';
import { checkHeld, checkSyncs } from '../../src/agent/rotation/prepare.ts';
import { ringFor } from '../../src/keys/ring.ts';
import { NO_SERVICES } from '../../src/services/rules.ts';
import type { SyncSettings } from '../../src/settings/settings.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { errorOf } from '../sealed/material.ts';
import { nobody, syncSettings, testAgent } from './fixture.ts';

const URL = syncSettings('a').source.git.url;

function settingsWith(common: readonly string[], ...syncs: readonly SyncSettings[]) {
  const { context } = testAgent(nobody());
  return { ...context.settings(), decryption: { secretNames: common, services: NO_SERVICES }, syncs };
}

function sync(name: string, secretNames: readonly string[], url = URL): SyncSettings {
  const { source, ...others } = syncSettings(name);
  return {
    ...others,
    source: { ...source, git: { ...source.git, url } },
    decryption: { secretNames, services: NO_SERVICES },
  };
}

describe('a rotation by the agent', () => {
  it('is not for a repository of which a sync has keys of its own: it would not open with the new one', async () => {
    expect(() => checkSyncs(settingsWith([], sync('a', []), sync('b', [])), URL)).not.toThrow();
    expect(() => checkSyncs(settingsWith(['x', 'y'], sync('a', ['y', 'x'])), URL)).not.toThrow();
    for (const apart of [settingsWith([], sync('a', []), sync('b', ['own'])), settingsWith(['x'], sync('b', ['y']))]) {
      const error = await errorOf(() => checkSyncs(apart, URL));
      expect(error.code).toBe('SOTTO-ROTATE-026');
      expect(error.why).toContain('sync b ');
    }
    // Of another repository, it is not concerned.
    const elsewhere = sync('b', ['own'], 'https://git.example.com/other.git');
    expect(() => checkSyncs(settingsWith([], sync('a', []), elsewhere), URL)).not.toThrow();
  });

  it('pushes nothing for a key that is not one of every sync of the repository, wherever it lies', async () => {
    const { identity, keyFile } = makeIdentity(new Date());
    keyFile.wipe();
    const held = (labels: Readonly<Record<string, string>>) => {
      const mark = { name: 'made', labels, annotations: {} };
      const more = { pgpIdentities: [], sealingKey: undefined, credentials: [], problems: [] };
      return { identity, secret: { mark, ageIdentities: [identity], ...more } };
    };
    const settings = settingsWith([], sync('a', []), sync('b', [], 'https://git.example.com/other.git'));
    const check = (key: HeldKey, of = settings): void =>
      checkHeld(of, URL, { keysOf: ({ decryption }) => ringFor([key.secret], of, decryption) }, key);
    expect(() => check(held({ 'sotto.dev/use': 'keys' }))).not.toThrow();
    const sealing = { 'sealedsecrets.bitnami.com/sealed-secrets-key': 'active' };
    expect((await errorOf(() => check(held(sealing)))).code).toBe('SOTTO-ROTATE-029');
    const apart = settingsWith([], sync('a', []), sync('c', ['own']));
    expect((await errorOf(() => check(held({ 'sotto.dev/use': 'keys' }), apart))).code).toBe('SOTTO-ROTATE-029');
  });

  it('makes a sealing key only where the settings let the agent make it, and nobody has pinned the one in use', async () => {
    const settings = { enabled: true, secretNames: [], certificate: undefined, recovery: [] };
    expect(() => checkSealing(settings)).not.toThrow();
    for (const [others, why] of [
      [{ enabled: false }, 'sealing.enabled is not set'],
      [{ secretNames: ['own'] }, 'sealing.keys names those that may seal'],
      [{ certificate: 'f'.repeat(64) }, 'sealing.certificate pins the one in use'],
    ] as const) {
      const error = await errorOf(() => checkSealing({ ...settings, ...others }));
      expect(error).toMatchObject({ code: 'SOTTO-ROTATE-017', why: expect.stringContaining(why) as string });
    }
  });
});
