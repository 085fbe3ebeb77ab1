import { describe, expect, it } from 'vitest';
import { sealedToSecret } from '../../src/sealed/resulting-secret.ts';
import { parse, sealedManifest, VECTOR_RAW, vectorManifest } from './material.ts';

describe('sealedToSecret', () => {
  it('gives type, immutable and metadata of the template, and the items by name', () => {
    const { tree, items, literals } = sealedToSecret(parse(vectorManifest('strict')));
    expect(tree).toEqual({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'db', namespace: 'team', labels: { app: 'db' } },
      type: 'Opaque',
      immutable: true,
    });
    expect([...items.keys()]).toEqual(['binary', 'empty', 'password']);
    expect(literals.size).toBe(0);
  });

  it('forces name and namespace of the SealedSecret and drops what a server adds', () => {
    const metadata = {
      name: 'other',
      namespace: 'elsewhere',
      creationTimestamp: null,
      uid: 'x',
      ownerReferences: [{ kind: 'Pod' }],
      annotations: { note: 'kept' },
      finalizers: ['example.com/hold'],
    };
    const { tree } = sealedToSecret(parse(sealedManifest({ encryptedData: {}, template: { metadata } })));
    expect(tree['metadata']).toEqual({
      name: 'db',
      namespace: 'team',
      annotations: { note: 'kept' },
      finalizers: ['example.com/hold'],
    });
  });

  it('lets a sealed item win over the template entry of its name, and null remove it', () => {
    const template = { data: { user: 'admin', both: 'clear', gone: null } };
    const encryptedData = { both: VECTOR_RAW, gone: VECTOR_RAW };
    const { items, literals } = sealedToSecret(parse(sealedManifest({ encryptedData, template })));
    expect([...items.keys()]).toEqual(['both']);
    expect([...literals]).toEqual([['user', 'YWRtaW4=']]);
  });

  it('makes an empty Secret of an empty SealedSecret without a template', () => {
    const { tree, items } = sealedToSecret(parse(sealedManifest({ encryptedData: {}, template: null })));
    expect(tree).toEqual({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db', namespace: 'team' } });
    expect(items.size).toBe(0);
  });

  it('keeps entries with names of JavaScript’s own', () => {
    const manifest = sealedManifest({
      encryptedData: JSON.parse(`{"__proto__":"${VECTOR_RAW}","constructor":"${VECTOR_RAW}"}`),
    });
    expect([...sealedToSecret(parse(manifest)).items.keys()]).toEqual(['__proto__', 'constructor']);
  });
});
