import { beforeAll, describe, expect, it } from 'vitest';
import { type JsonObject, stringAt } from '../../src/core/json.ts';
import { sourceDigest } from '../../src/core/digest.ts';
import { Opener } from '../../src/open/opener.ts';
import { sealedDocument, type SealedMode, type SealedRule } from '../../src/open/sealed-document.ts';
import { sealingCertificate } from '../../src/sealed/certificate.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { sealSecret } from '../../src/sealed/seal.ts';
import { parseSealingKey, type SealingKey } from '../../src/sealed/sealing-key.ts';
import { bytesOf, errorOf, plainSecret, sealedManifest } from '../sealed/material.ts';

let ours: SealingKey;
let theirs: SealingKey;
let manifest: JsonObject;
beforeAll(async () => {
  const now = new Date();
  const key = async (): Promise<SealingKey> => {
    const made = await makeSealingCertificate({ now, modulusBits: 2048 });
    return parseSealingKey({ key: made.keyPem.reveal(), crt: bytesOf(made.certificatePem) });
  };
  [ours, theirs] = [await key(), await key()];
  manifest = sealSecret(plainSecret({ password: 'x' }), sealingCertificate(ours.certificatePem, now));
});

interface Situation {
  readonly mode: SealedMode;
  readonly keys: readonly SealingKey[];
  readonly served?: boolean;
  readonly row?: 'ours' | 'kept';
  readonly known?: boolean;
  readonly value?: JsonObject;
}

async function kindOf({ mode, keys, served = true, row, known = false, value = manifest }: Situation) {
  const sealed: SealedRule = { modeOf: () => mode, isServed: () => served, secretRow: () => row };
  using opener = new Opener({ ageIdentities: [], sealingKeys: keys });
  const place = { file: 'db.yaml', line: 1, lineAt: () => undefined, digest: sourceDigest('plain', 'x'), value };
  const document = await sealedDocument(place, { namespace: 'team', opener, sealed, isKnown: () => known });
  return `${stringAt(document.tree, 'kind')} ${document.encryption}`;
}

describe('a SealedSecret', () => {
  it('becomes its Secret where a key of ours opens it, and stays what it is where none does', async () => {
    expect(await kindOf({ mode: 'auto', keys: [ours] })).toBe('Secret sealed');
    expect(await kindOf({ mode: 'auto', keys: [theirs, ours] })).toBe('Secret sealed');
    expect(await kindOf({ mode: 'auto', keys: [theirs] })).toBe('SealedSecret none');
    expect(await kindOf({ mode: 'auto', keys: [] })).toBe('SealedSecret none');
    expect(await kindOf({ mode: 'passthrough', keys: [ours] })).toBe('SealedSecret none');
    expect(await kindOf({ mode: 'unseal', keys: [ours] })).toBe('Secret sealed');
  });

  it('is an error where no key opens it and nobody else would', async () => {
    for (const situation of [
      { mode: 'auto', keys: [theirs], served: false },
      { mode: 'auto', keys: [], served: false },
      { mode: 'unseal', keys: [theirs] },
    ] as const) {
      expect((await errorOf(() => kindOf(situation))).code).toBe('SOTTO-SEAL-001');
    }
  });

  it('is never both: while sotto applies its Secret, a lost key is an error and nothing is passed through', async () => {
    expect((await errorOf(() => kindOf({ mode: 'auto', keys: [], row: 'ours' }))).code).toBe('SOTTO-SEAL-001');
    expect((await errorOf(() => kindOf({ mode: 'passthrough', keys: [], row: 'ours' }))).code).toBe('SOTTO-SEAL-022');
    // What was applied already is not opened again, so a lost key is no news.
    expect(await kindOf({ mode: 'auto', keys: [], row: 'ours', known: true })).toBe('Secret sealed');
    // Known as the resource that was passed through: opened all the same before it becomes a Secret.
    expect(await kindOf({ mode: 'auto', keys: [theirs], known: true })).toBe('SealedSecret none');
    expect(await kindOf({ mode: 'auto', keys: [ours], known: true })).toBe('Secret sealed');
  });

  it('may be handed over where the Secret stays when it leaves Git', async () => {
    expect(await kindOf({ mode: 'passthrough', keys: [], row: 'kept' })).toBe('SealedSecret none');
  });

  it('passes through as it is, but for a status, and whatever of it this version does not read', async () => {
    const value = { ...sealedManifest({ encryptedData: { a: 5 }, template: 'x' }), status: { conditions: [] } };
    expect(await kindOf({ mode: 'passthrough', keys: [], value })).toBe('SealedSecret none');
    expect(await kindOf({ mode: 'auto', keys: [], value })).toBe('SealedSecret none');
    expect((await errorOf(() => kindOf({ mode: 'auto', keys: [ours], value }))).code).toBe('SOTTO-SEAL-003');
  });

  it('with a changed item is an error with the key that fits it, never passed through', async () => {
    const changed = structuredClone(manifest) as { spec: { encryptedData: { password: string } } } & JsonObject;
    const bytes = Buffer.from(changed.spec.encryptedData.password, 'base64');
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    changed.spec.encryptedData.password = bytes.toString('base64');
    expect((await errorOf(() => kindOf({ mode: 'auto', keys: [ours], value: changed }))).code).toBe('SOTTO-SEAL-002');
  });
});
