import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { BodyBuffer } from '../../src/apply/body.ts';
import { fillBody } from '../../src/apply/fill.ts';
import {
  type Closed,
  type ClosedObject,
  ComposedRef,
  type Piece,
  SecretRef,
  secretRefs,
} from '../../src/core/closed.ts';
import { openFiles } from '../../src/open/open.ts';
import { Opener } from '../../src/open/opener.ts';
import { isStorable, restoreTrees, type StoredTrees, storeTrees } from '../../src/open/stored.ts';
import { sealingCertificate } from '../../src/sealed/certificate.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { sealLabel } from '../../src/sealed/scope.ts';
import { sealValue } from '../../src/sealed/seal.ts';
import { type SealedItem, unreadSealed } from '../../src/sealed/sealed-secret.ts';
import { parseSealingKey, type SealingKey } from '../../src/sealed/sealing-key.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { bytesOf, sealedManifest } from '../sealed/material.ts';
import { encrypted, type KeyPair, newKeyPair } from '../sops/fixtures.ts';

const SELECTOR = { selector: { kind: 'encrypted_regex', value: '^(data|stringData)$' } } as const;
const SECRETS = `apiVersion: v1
kind: Secret
metadata: { name: one, annotations: { n: "12345678901234567890" } }
stringData: { a: "first", b: "" }
---
apiVersion: v1
kind: Secret
metadata: { name: two }
stringData: { c: "second" }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: three }
`;

let keys: KeyPair;
let sealing: SealingKey;
beforeAll(async () => {
  keys = await newKeyPair();
  const made = await makeSealingCertificate({ now: new Date(), modulusBits: 2048 });
  sealing = parseSealingKey({ key: made.keyPem.reveal(), crt: bytesOf(made.certificatePem) });
});

function opener(): Opener {
  return new Opener({ ageIdentities: keys.identities, sealingKeys: [sealing] });
}

function seal(value: string, name = 'db'): string {
  const label = sealLabel({ scope: 'strict', namespace: 'team', name });
  return sealValue(Sensitive.copyOf(bytesOf(value)), sealingCertificate(sealing.certificatePem, new Date()), label);
}

/** As it comes out of a ConfigMap. */
function through(trees: readonly ClosedObject[]): ClosedObject[] {
  return restoreTrees(JSON.parse(JSON.stringify(storeTrees(trees))) as StoredTrees);
}

async function treesOf(files: Readonly<Record<string, string>>): Promise<ClosedObject[]> {
  using opening = opener();
  const list = Object.entries(files).map(([path, content]) => ({ path, bytes: Buffer.from(content) }));
  const { documents, refusals } = await openFiles(list, { namespace: 'team', opener: opening, isKnown: () => false });
  expect(refusals.map(({ error }) => error.text())).toEqual([]);
  return documents.map(({ tree }) => tree);
}

async function filled(tree: ClosedObject): Promise<string> {
  using opening = opener();
  return Buffer.from(await fillBody(tree, opening, new BodyBuffer())).toString();
}

describe('closed objects that were stored', () => {
  it('are opened as before, with no file at hand: SOPS files and SealedSecrets with templates', async () => {
    const item = seal('s3cret');
    const template = {
      data: { url: 'postgres://app:{{ .password }}@db', plain: 'x' },
      metadata: { labels: { a: 'b' } },
    };
    const trees = await treesOf({
      'secrets.yaml': await encrypted(SECRETS, keys.recipient, SELECTOR),
      'sealed.json': JSON.stringify(sealedManifest({ encryptedData: { password: item }, template })),
    });
    const restored = through(trees);
    expect(restored).toHaveLength(4);
    for (const [at, tree] of trees.entries()) {
      const body = await filled(restored[at] ?? {});
      expect(body).toBe(await filled(tree));
    }
    expect(await filled(restored[3] ?? {})).toContain(Buffer.from('postgres://app:s3cret@db').toString('base64'));
    const text = JSON.stringify(storeTrees(trees));
    for (const value of ['first', 'second', 's3cret'].flatMap((each) => [each, btoa(each)])) {
      expect(text).not.toContain(value);
    }
  });

  it('know where a value that does not open stands', async () => {
    const [tree] = through(await treesOf({ 'secrets.yaml': await encrypted(SECRETS, keys.recipient, SELECTOR) }));
    using none = new Opener({ ageIdentities: [], sealingKeys: [] });
    const [leaf] = secretRefs(tree ?? {});
    if (leaf === undefined) throw new Error('no leaf');
    const failed = await none.open(leaf.ref).catch((thrown: unknown) => thrown);
    expect(failed).toMatchObject({ place: { file: 'secrets.yaml' } });
    expect(leaf.ref.line).toBe(4);
  });

  it('are not those of a Secret that was sealed as a whole: its names are known by opening it', async () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' }, data: { a: 'eA==' } };
    const manifest = sealedManifest({ data: seal(JSON.stringify(secret)), encryptedData: {} });
    const trees = await treesOf({ 'whole.json': JSON.stringify(manifest) });
    expect(trees.map(isStorable)).toEqual([false]);
    expect(() => storeTrees(trees)).toThrow(TypeError);
  });

  it('are the same trees, whatever stands beside and between their references', () => {
    const binding = { scope: 'strict', namespace: 'team', name: 'db' } as const;
    const source = unreadSealed({ file: 'a.yaml', line: 3 }, binding);
    const ref = fc
      .record({ key: fc.string(), text: fc.string(), line: fc.nat(), form: fc.constantFrom('value', 'base64', 'text') })
      .map(({ key, text, line, form }) => {
        const item: SealedItem = { key, text, line };
        return new SecretRef(source, item, form, line);
      });
    const { piece } = fc.letrec<{ piece: Piece }>((tie) => {
      const of = fc.array(tie('piece'), { maxLength: 3 });
      return {
        piece: fc.oneof(
          { depthSize: 'small' },
          fc.uint8Array({ maxLength: 9 }).map((bytes) => ({ kind: 'literal', bytes }) as const),
          ref.map((each) => ({ kind: 'value', ref: each }) as const),
          of.map((inner) => ({ kind: 'json', of: inner }) as const),
          of.map((inner) => ({ kind: 'base64', of: inner, alphabet: { letters: 'url', padded: false } }) as const),
          fc
            .tuple(of, of, fc.boolean())
            .map(
              ([written, meaning, inFlow]) =>
                ({ kind: 'yaml', scalar: { style: 'double', inFlow, written, meaning } }) as const,
            ),
        ),
      };
    });
    const composed = fc
      .tuple(ref, fc.array(piece, { maxLength: 4 }), fc.string(), fc.boolean())
      .map(([first, pieces, text, mustBeText]) => {
        const place = { object: 'Secret/db', key: 'data.a' };
        return new ComposedRef(first, pieces, { text }, { form: first.form, mustBeText, place });
      });
    const { closed } = fc.letrec<{ closed: Closed }>((tie) => ({
      closed: fc.oneof(
        { depthSize: 'small' },
        fc.constant(null),
        fc.boolean(),
        fc.integer(),
        fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
        fc.string({ unit: 'binary' }),
        ref,
        composed,
        fc.array(tie('closed'), { maxLength: 4 }),
        fc.dictionary(fc.string(), tie('closed'), { maxKeys: 4 }).map((object) => ({ ...object })),
      ),
    }));
    const tree = fc.dictionary(fc.string(), closed, { maxKeys: 4 }).map((object) => ({ ...object }));
    fc.assert(
      fc.property(fc.array(tree, { maxLength: 3 }), (trees) => {
        const restored = through(trees);
        expect(plain(restored)).toEqual(plain(trees));
        expect(JSON.stringify(storeTrees(restored))).toBe(JSON.stringify(storeTrees(trees)));
      }),
    );
  });
});

/** Without classes of typed arrays, which differ by where the bytes came from. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (value instanceof ComposedRef) return { composed: true, ...fields(value) };
  if (value instanceof SecretRef) return { ref: true, ...fields(value) };
  if (Array.isArray(value)) return value.map(plain);
  return typeof value === 'object' && value !== null ? fields(value) : value;
}

function fields(value: object): object {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
