import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { memberAt } from '../../src/core/json.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { sealingCertificate } from '../../src/sealed/certificate.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { sealValue } from '../../src/sealed/seal.ts';
import type { SealedObject } from '../../src/sealed/sealed-secret.ts';
import { parseSealingKey, type SealingKey } from '../../src/sealed/sealing-key.ts';
import { keyFor, parseForOpening, unsealAll, unsealItem } from '../../src/sealed/unseal.ts';
import {
  bytesOf,
  errorOf,
  parse,
  sealedManifest,
  VECTOR_CERTIFICATE,
  VECTOR_RAW,
  vectorKey,
  vectorManifest,
} from './material.ts';

const key = vectorKey();
const now = new Date();
let otherKey: SealingKey;
beforeAll(async () => {
  const made = await makeSealingCertificate({ now, modulusBits: 3072 });
  otherKey = parseSealingKey({ key: made.keyPem.reveal(), crt: bytesOf(made.certificatePem) });
});

async function opened(sealed: SealedObject, keys: readonly SealingKey[]): Promise<Record<string, string>> {
  const items = await unsealAll(sealed, keys);
  return Object.fromEntries(
    [...items].map(([name, { value }]) => [name, Buffer.from(value.reveal()).toString('latin1')]),
  );
}

function renamed(manifest: JsonObject, metadata: JsonObject): JsonObject {
  return { ...manifest, metadata: { ...(memberAt(manifest, 'metadata') as JsonObject), ...metadata } };
}

describe('unsealing what kubeseal sealed', () => {
  it.each(['strict', 'namespace-wide', 'cluster-wide'])('opens every byte in scope %s', async (scope) => {
    expect(await opened(parse(vectorManifest(scope)), [key])).toEqual({
      binary: '\u0000\u0001\u0002\u0003\u0004\u00ff',
      empty: '',
      password: 'correct horse\n',
    });
  });

  it('opens a raw item under any name, because the name is not bound', async () => {
    const sealed = parse(sealedManifest({ encryptedData: { 'any.name': VECTOR_RAW } }));
    expect(await opened(sealed, [key])).toEqual({ 'any.name': 'raw-value' });
  });

  it('tries keys of all sizes in order and says which one opened', async () => {
    const sealed = parse(sealedManifest({ encryptedData: { a: VECTOR_RAW } }));
    const [item] = sealed.items;
    if (item === undefined) throw new Error('no item');
    const { value, key: used } = await unsealItem(sealed, item, [otherKey, key]);
    value.wipe();
    expect(used.fingerprint).toBe(key.fingerprint);
    expect(keyFor(sealed, item, [otherKey, key])).toBe(key);
    expect(keyFor(sealed, item, [otherKey])).toBeUndefined();
  });

  it('opens a namespace-wide object under another name and a cluster-wide one anywhere', async () => {
    const other = parse(renamed(vectorManifest('namespace-wide'), { name: 'renamed' }));
    expect(Object.keys(await opened(other, [key]))).toHaveLength(3);
    const anywhere = parse(renamed(vectorManifest('cluster-wide'), { name: 'renamed', namespace: 'elsewhere' }));
    expect(Object.keys(await opened(anywhere, [key]))).toHaveLength(3);
  });

  it('names every malformed item at once, whatever is wrong with each', async () => {
    const encryptedData = { cut: 'AAAA', fine: VECTOR_RAW, odd: '???', short: 'AAAA' };
    const error = await errorOf(() => Promise.resolve(parse(sealedManifest({ encryptedData }))));
    expect(error.place.key).toBe('cut, odd, short');
    expect(error.what).toContain('3 of 4');
  });

  it('names malformed items and those that no key opens in one error, and what is wrong with each kind', async () => {
    const certificate = sealingCertificate(otherKey.certificatePem, now);
    const foreign = sealValue(Sensitive.copyOf(bytesOf('x')), certificate, bytesOf('team/db'));
    const encryptedData = { cut: 'AAAA', fine: VECTOR_RAW, foreign, odd: '???' };
    const place = { file: 'db.yaml', line: 3, namespace: 'team' };
    const error = await errorOf(() => parseForOpening(sealedManifest({ encryptedData }), place, [key]));
    expect(error).toMatchObject({ code: 'SOTTO-SEAL-005', place: { key: 'cut, foreign, odd', file: 'db.yaml' } });
    expect(error.what).toMatch(/^3 of 4 items do not open \(.*; .*no held sealing key opens.*\)$/);
    // Without malformed ones they are named when they are opened.
    expect((await parseForOpening(sealedManifest({ encryptedData: { foreign } }), place, [key])).items).toHaveLength(1);
  });

  it('opens items of different keys in one object', async () => {
    const certificate = sealingCertificate(otherKey.certificatePem, now);
    const text = sealValue(Sensitive.copyOf(bytesOf('newer')), certificate, bytesOf('team/db'));
    const sealed = parse(sealedManifest({ encryptedData: { old: VECTOR_RAW, new: text } }));
    expect(await opened(sealed, [otherKey, key])).toEqual({ old: 'raw-value', new: 'newer' });
  });
});

describe('what does not open', () => {
  it('names the binding, the item and the line, and what to do without any key', async () => {
    const error = await errorOf(() => unsealAll(parse(sealedManifest({ encryptedData: { a: VECTOR_RAW } })), []));
    expect(error).toMatchObject({
      code: 'SOTTO-SEAL-001',
      what: 'no held sealing key opens the item as sealed strictly for db in namespace team',
      why: 'no sealing key is at hand',
      place: { file: 'db.yaml', line: 3, key: 'a', object: 'bitnami.com/SealedSecret/db' },
    });
  });

  it('collects every failing item of an object in one error', async () => {
    const error = await errorOf(() => unsealAll(parse(vectorManifest('strict')), [otherKey]));
    expect(error.code).toBe('SOTTO-SEAL-001');
    expect(error.place.key).toBe('binary, empty, password');
    expect(error.what).toContain('3 of 3 items');
  });

  it.each<[string, JsonObject, string, string]>([
    [
      'a changed name',
      renamed(vectorManifest('strict'), { name: 'prefix-db' }),
      'it was sealed strictly for db in namespace team',
      'set metadata.name to db in',
    ],
    [
      'a changed namespace',
      renamed(vectorManifest('namespace-wide'), { namespace: 'prod' }),
      'it was sealed namespace-wide for team',
      'set metadata.namespace to team in',
    ],
    [
      'a scope annotation lost',
      renamed(vectorManifest('cluster-wide'), { annotations: null }),
      'it was sealed cluster-wide',
      'set the annotation sealedsecrets.bitnami.com/cluster-wide: "true" in',
    ],
    [
      'a scope annotation too many',
      renamed(vectorManifest('strict'), { annotations: { 'sealedsecrets.bitnami.com/cluster-wide': 'true' } }),
      'it was sealed strictly for db in namespace team',
      'remove the annotation sealedsecrets.bitnami.com/cluster-wide in',
    ],
    [
      'another scope and another name',
      renamed(vectorManifest('strict'), {
        name: 'x',
        annotations: { 'sealedsecrets.bitnami.com/namespace-wide': 'true' },
      }),
      'it was sealed strictly for db in namespace team',
      'remove the annotation sealedsecrets.bitnami.com/namespace-wide and set metadata.name to db in',
    ],
  ])('finds out about %s and names the edit', async (_name, manifest, why, next) => {
    const error = await errorOf(() => unsealAll(parse(manifest), [otherKey, key]));
    expect(error.why).toBe(why);
    expect(error.next).toContain(next);
  });

  it('tells a changed ciphertext from a wrong key', async () => {
    const bytes = Buffer.from(VECTOR_RAW, 'base64');
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    const sealed = parse(sealedManifest({ encryptedData: { a: bytes.toString('base64') } }));
    const error = await errorOf(() => unsealAll(sealed, [otherKey, key]));
    expect(error).toMatchObject({ code: 'SOTTO-SEAL-002', place: { key: 'a', file: 'db.yaml' } });
  });

  it('opens nothing of a blob with any bit changed', async () => {
    const original = Buffer.from(VECTOR_RAW, 'base64');
    await fc.assert(
      fc.asyncProperty(fc.nat(original.length * 8 - 1), async (bit) => {
        const bytes = Buffer.from(original);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const error = await errorOf(() =>
          unsealAll(parse(sealedManifest({ encryptedData: { a: bytes.toString('base64') } })), [key]),
        );
        expect(error.code).toMatch(/^SOTTO-SEAL-00[125]$/);
      }),
      { numRuns: 60 },
    );
  });

  it('ends every blob of the right form in a coded error', async () => {
    const blob = fc.uint8Array({ minLength: 16, maxLength: 600 }).map((rest) => Buffer.concat([Buffer.of(1, 0), rest]));
    await fc.assert(
      fc.asyncProperty(blob, async (bytes) => {
        const error = await errorOf(() =>
          unsealAll(parse(sealedManifest({ encryptedData: { a: bytes.toString('base64') } })), [key]),
        );
        expect(error.code).toMatch(/^SOTTO-SEAL-00[15]$/);
      }),
      { numRuns: 60 },
    );
  });

  it('gives back what was sealed, for any bytes and any binding', async () => {
    const certificate = sealingCertificate(VECTOR_CERTIFICATE, now);
    const scope = fc.constantFrom('strict', 'namespace-wide', 'cluster-wide');
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), scope, async (bytes, annotation) => {
        const annotations = { [`sealedsecrets.bitnami.com/${annotation}`]: 'true' };
        const metadata = { name: 'db', namespace: 'team', annotations };
        const { label } = parse(sealedManifest({ encryptedData: {} }, metadata));
        const text = sealValue(Sensitive.copyOf(bytes), certificate, label);
        const result = await unsealAll(parse(sealedManifest({ encryptedData: { a: text } }, metadata)), [key]);
        expect(Buffer.from(result.get('a')?.value.reveal() ?? [])).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 40 },
    );
  });
});
