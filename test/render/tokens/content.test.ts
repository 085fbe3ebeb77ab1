import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { SourceDigest } from '../../../src/core/ids.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { Opener } from '../../../src/open/opener.ts';
import { closeFile, type EncryptedFile, type TokenMemory } from '../../../src/render/tokens/content.ts';
import { TokenTable } from '../../../src/render/tokens/table.ts';
import { parseAgeIdentities } from '../../../src/sops/age.ts';
import { readManifests } from '../../../src/yaml/manifest.ts';
import { encrypted, type KeyPair, newKeyPair, refusal } from '../../sops/fixtures.ts';
import { filledValues, testKey } from './secrets.ts';

const SELECTOR = { selector: { kind: 'encrypted_regex', value: '^(data|stringData)$' } } as const;
const KEY = testKey();

let pair: KeyPair;
let opener: Opener;

beforeAll(async () => {
  pair = await newKeyPair();
  opener = new Opener({ ageIdentities: parseAgeIdentities(Buffer.from(pair.identity)), sealingKeys: [] });
});

function close(file: Partial<EncryptedFile> & { readonly bytes: Uint8Array }, memory?: TokenMemory) {
  const recall = (digest: SourceDigest) => (memory?.digest === digest ? memory : undefined);
  const asked = memory === undefined ? opener : NEVER;
  return closeFile({ path: 'db.yaml', format: 'yaml', role: 'document', ...file }, { key: KEY, opener: asked, recall });
}

const NEVER = {
  open: () => Promise.reject(new Error('it was opened')),
  openVariables: () => Promise.reject(new Error('it was opened')),
  verifySops: () => Promise.reject(new Error('it was opened')),
  verifyWhole: () => Promise.reject(new Error('it was opened')),
};

async function sealed(text: string): Promise<Buffer> {
  return Buffer.from(await encrypted(text, pair.recipient, SELECTOR));
}

const SECRET = 'apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {a: first value, b: "", c: third}\n';

describe('an encrypted document', () => {
  it('has a token for each encrypted value, and no sops block', async () => {
    const { bytes, entries } = await close({ bytes: await sealed(SECRET) });
    const [a, c] = entries.map(({ token }) => token);
    expect(readManifests(Buffer.from(bytes).toString(), 'f.yaml').map(({ value }) => value)).toEqual([
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, stringData: { a, b: '', c } },
    ]);
    expect(entries.map(({ key, line, file }) => [file, line, key])).toEqual([
      ['db.yaml', 4, 'stringData.a'],
      ['db.yaml', 4, 'stringData.c'],
    ]);
  });

  it('that is remembered is closed without a key, and has the same tokens wherever it stands', async () => {
    const bytes = await sealed(SECRET);
    const first = await close({ bytes });
    const again = await close({ bytes, path: 'moved.yaml' }, first.memory);
    expect(again.bytes).toEqual(first.bytes);
    const anew = await close({ bytes: await sealed(SECRET), path: 'other.yaml' });
    expect(anew.bytes).toEqual(first.bytes);
    expect(anew.memory.digest).not.toBe(first.memory.digest);
  });

  it('binds tokens to the object and the key', async () => {
    const { entries } = await close({
      bytes: await sealed(
        `${SECRET}---\n${SECRET.replace('name: db', 'name: other').replaceAll('third', 'first value')}`,
      ),
    });
    expect(new Set(entries.map(({ token }) => token)).size).toBe(entries.length);
  });

  it('that was changed is refused', async () => {
    const bytes = Buffer.from((await sealed(SECRET)).toString().replace('name: db', 'name: xx'));
    expect(await refusal(() => close({ bytes }))).toMatchObject({ code: 'SOTTO-SOPS-001' });
  });

  it.each([
    ['a number', SECRET.replace('third', '12'), { code: 'SOTTO-RENDER-010', line: 4, key: 'stringData.c' }],
    [
      'the name',
      SECRET.replace('name: db', 'data: {x: y}'),
      { code: 'SOTTO-RENDER-005', line: 3, key: 'metadata.data.x' },
    ],
  ])('in which %s is encrypted is refused with line and key', async (_name, text, expected) => {
    expect(await refusal(async () => close({ bytes: await sealed(text) }))).toEqual(expected);
  });

  it('is refused when it is encrypted as a whole', async () => {
    expect(await refusal(async () => close({ bytes: await sealed(SECRET), format: 'binary' }))).toEqual({
      code: 'SOTTO-RENDER-042',
    });
  });

  it('never lets eight bytes of a value into the tree, and gives every value back', async () => {
    const value = fc
      .string({ unit: 'grapheme', minLength: 8, maxLength: 60 })
      .filter((text) => Buffer.from(text).toString() === text);
    const names = fc.stringMatching(/^[a-z]{1,5}$/);
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(names, value, { maxKeys: 5 }),
        fc.dictionary(names, value, { maxKeys: 3 }),
        async (one, two) => {
          const objects = [one, two].map((stringData, at) => ({
            apiVersion: 'v1',
            kind: 'Secret',
            metadata: { name: `s${at}` },
            stringData,
          }));
          const texts = objects.map((object) => JSON.stringify(object));
          const { bytes, entries } = await close({ bytes: await sealed(`${texts.join('\n---\n')}\n`) });
          for (const secret of [...Object.values(one), ...Object.values(two)])
            expect(pieceOf(secret, bytes)).toBeUndefined();
          const table = new TokenTable(entries);
          const trees = readManifests(Buffer.from(bytes).toString(), 'f.yaml').map((each) => each.value as JsonObject);
          for (const [at, wanted] of [one, two].entries()) {
            const values = await filledValues(trees[at] ?? {}, { table, opener });
            expect(Object.fromEntries(Object.entries(values).map(([key, filled]) => [key, filled.toString()]))).toEqual(
              wanted,
            );
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('a file of a generator', () => {
  it('is one token, bound to its path', async () => {
    const bytes = await sealed('a: 1\ndata: {password: x}\n');
    const { entries, ...closed } = await close({ bytes, role: 'generator-file' });
    expect(Buffer.from(closed.bytes).toString()).toBe(entries[0]?.token);
    expect((await close({ bytes, role: 'generator-file', path: 'moved.yaml' })).bytes).not.toEqual(closed.bytes);
  });
});

/** Eight bytes in a row that are in both, plain or as base64. */
function pieceOf(secret: string, bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes);
  const value = Buffer.from(secret);
  for (let at = 0; at + 8 <= value.length; at += 1) {
    const piece = value.subarray(at, at + 8);
    if (text.includes(piece) || text.includes(piece.toString('base64').slice(0, 10))) return piece.toString();
  }
  return undefined;
}
