import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import type { Json } from '../../src/core/json.ts';
import { LIMITS } from '../../src/core/limits.ts';
import { parseSealed } from '../../src/sealed/sealed-secret.ts';
import { errorOf, parse, sealedManifest, vectorManifest, VECTOR_RAW } from './material.ts';

const CLUSTER_WIDE = 'sealedsecrets.bitnami.com/cluster-wide';
const NAMESPACE_WIDE = 'sealedsecrets.bitnami.com/namespace-wide';

describe('parseSealed', () => {
  it('reads what kubeseal wrote, without a key', () => {
    const sealed = parse(vectorManifest('strict'));
    expect(sealed).toMatchObject({ format: 'sealed', file: 'db.yaml', scope: 'strict', namespace: 'team', name: 'db' });
    expect(sealed.items.map((item) => item.key)).toEqual(['binary', 'empty', 'password']);
    expect(sealed.template).toMatchObject({ type: 'Opaque', immutable: true, labels: { app: 'db' } });
  });

  it.each([
    [{}, 'strict', 'team/db'],
    [{ [NAMESPACE_WIDE]: 'true' }, 'namespace-wide', 'team'],
    [{ [CLUSTER_WIDE]: 'true' }, 'cluster-wide', ''],
    [{ [CLUSTER_WIDE]: 'true', [NAMESPACE_WIDE]: 'true' }, 'cluster-wide', ''],
    [{ [CLUSTER_WIDE]: 'false' }, 'strict', 'team/db'],
    [{ [CLUSTER_WIDE]: 'True', [NAMESPACE_WIDE]: '1' }, 'strict', 'team/db'],
  ])('takes the scope from its own annotations %j', (annotations, scope, label) => {
    const metadata = { name: 'db', namespace: 'team', annotations };
    const template = { metadata: { annotations: { [NAMESPACE_WIDE]: 'true' } } };
    const sealed = parse(sealedManifest({ encryptedData: {}, template }, metadata));
    expect(sealed.scope).toBe(scope);
    expect(new TextDecoder().decode(sealed.label)).toBe(label);
  });

  it('binds an object that names no namespace to the one it will get', () => {
    const sealed = parse(sealedManifest({ encryptedData: {} }, { name: 'db' }), 'target');
    expect(sealed.namespace).toBe('target');
  });

  it('knows the line of each item where the reader of the file knows it', () => {
    const place = {
      file: 'db.yaml',
      line: 3,
      namespace: 'default',
      lineAt: (path: readonly string[]) => (path.join('.') === 'spec.encryptedData.a' ? 9 : undefined),
    };
    const sealed = parseSealed(sealedManifest({ encryptedData: { a: VECTOR_RAW, b: VECTOR_RAW } }), place);
    expect(sealed.items.map((item) => item.line)).toEqual([9, 3]);
  });

  it('takes base64 broken over lines as Go does, and no other blanks', async () => {
    const broken = `${VECTOR_RAW.slice(0, 80)}\r\n${VECTOR_RAW.slice(80)}\n`;
    expect(parse(sealedManifest({ encryptedData: { a: broken } })).items).toHaveLength(1);
    const folded = `${VECTOR_RAW.slice(0, 80)} ${VECTOR_RAW.slice(80)}`;
    expect((await errorOf(() => parse(sealedManifest({ encryptedData: { a: folded } })))).code).toBe('SOTTO-SEAL-004');
  });

  it.each<[string, Json, string, string | undefined]>([
    ['not a mapping', ['a'], 'SOTTO-SEAL-003', undefined],
    ['another kind', { ...vectorManifest('strict'), kind: 'Secret' }, 'SOTTO-SEAL-003', 'kind'],
    ['another version', { ...vectorManifest('strict'), apiVersion: 'bitnami.com/v2' }, 'SOTTO-SEAL-003', 'apiVersion'],
    ['no name', sealedManifest({ encryptedData: {} }, { generateName: 'db-' }), 'SOTTO-SEAL-006', 'metadata.name'],
    ['a number as name', sealedManifest({ encryptedData: {} }, { name: 7 }), 'SOTTO-SEAL-006', 'metadata.name'],
    [
      'a slash in the namespace',
      sealedManifest({ encryptedData: {} }, { name: 'db', namespace: 'team/x' }),
      'SOTTO-SEAL-006',
      'metadata.namespace',
    ],
    [
      'a boolean annotation',
      sealedManifest({ encryptedData: {} }, { name: 'db', annotations: { [CLUSTER_WIDE]: true } }),
      'SOTTO-SEAL-003',
      `metadata.annotations.${CLUSTER_WIDE}`,
    ],
    ['no spec', { ...vectorManifest('strict'), spec: null }, 'SOTTO-SEAL-003', 'spec'],
    ['no encryptedData', sealedManifest({}), 'SOTTO-SEAL-003', 'spec.encryptedData'],
    ['a list of items', sealedManifest({ encryptedData: [VECTOR_RAW] }), 'SOTTO-SEAL-003', 'spec.encryptedData'],
    [
      'an item that is a number',
      sealedManifest({ encryptedData: { a: 12 } }),
      'SOTTO-SEAL-003',
      'spec.encryptedData.a',
    ],
    ['an item that is null', sealedManifest({ encryptedData: { a: null } }), 'SOTTO-SEAL-003', 'spec.encryptedData.a'],
    ['an item name with a slash', sealedManifest({ encryptedData: { 'a/b': VECTOR_RAW } }), 'SOTTO-SEAL-007', 'a/b'],
    ['an item that is clear text', sealedManifest({ encryptedData: { a: 'hunter2!' } }), 'SOTTO-SEAL-004', 'a'],
    ['an item without padding', sealedManifest({ encryptedData: { a: 'AAA' } }), 'SOTTO-SEAL-004', 'a'],
    ['an empty item', sealedManifest({ encryptedData: { a: '' } }), 'SOTTO-SEAL-005', 'a'],
    ['an item cut off', sealedManifest({ encryptedData: { a: VECTOR_RAW.slice(0, 352) } }), 'SOTTO-SEAL-005', 'a'],
    ['base64 that is not sealed', sealedManifest({ encryptedData: { a: 'aHVudGVyMg==' } }), 'SOTTO-SEAL-005', 'a'],
    ['a wrapped key of no bytes', sealedManifest({ encryptedData: { a: 'A'.repeat(64) } }), 'SOTTO-SEAL-005', 'a'],
    ['deprecated data', sealedManifest({ data: '', encryptedData: {} }), 'SOTTO-SEAL-010', 'spec.data'],
    [
      'a template type that is a number',
      sealedManifest({ encryptedData: {}, template: { type: 3 } }),
      'SOTTO-SEAL-003',
      'spec.template.type',
    ],
    [
      'an unquoted yes as immutable',
      sealedManifest({ encryptedData: {}, template: { immutable: 'yes' } }),
      'SOTTO-SEAL-003',
      'spec.template.immutable',
    ],
    [
      'a label that is a boolean',
      sealedManifest({ encryptedData: {}, template: { metadata: { labels: { on: true } } } }),
      'SOTTO-SEAL-003',
      'spec.template.metadata.labels.on',
    ],
    [
      'a Go template',
      sealedManifest({ encryptedData: {}, template: { data: { conf: 'x={{ .a }}' } } }),
      'SOTTO-SEAL-009',
      'spec.template.data.conf',
    ],
  ])('refuses %s with its place', async (_name, manifest, code, key) => {
    const error = await errorOf(() => parse(manifest));
    expect(error.code).toBe(code);
    expect(error.place).toMatchObject({ file: 'db.yaml', line: 3, ...(key === undefined ? {} : { key }) });
    expect(error.text()).not.toContain('hunter2');
  });

  it('says how to migrate an object of the deprecated form', async () => {
    const error = await errorOf(() => parse(sealedManifest({ data: 'AgA=', encryptedData: {} })));
    expect(error.next).toContain('kubectl get secret db -n team -o yaml | sotto seal');
  });

  it('refuses more sealed text than an object can hold', async () => {
    const large = Buffer.alloc(LIMITS.maxObjectBytes, 1).toString('base64');
    expect((await errorOf(() => parse(sealedManifest({ encryptedData: { a: large } })))).code).toBe('SOTTO-SEAL-008');
  });

  it('ends every JSON document in an object or a coded error', () => {
    const spec = fc.record(
      { encryptedData: fc.jsonValue(), template: fc.jsonValue(), data: fc.jsonValue() },
      { requiredKeys: [] },
    );
    const manifest = fc.oneof(
      fc.jsonValue(),
      fc.record({
        apiVersion: fc.constant('bitnami.com/v1alpha1'),
        kind: fc.constant('SealedSecret'),
        metadata: fc.oneof(fc.constant({ name: 'db' }), fc.jsonValue()),
        spec: fc.oneof(spec, fc.jsonValue()),
      }),
    );
    fc.assert(
      fc.property(manifest, (value) => {
        try {
          parse(value as Json);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SottoError);
        }
      }),
    );
  });
});
