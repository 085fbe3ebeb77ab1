import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { readSecretManifests } from '../../src/sealed/plain-secret.ts';
import { bytesOf, errorOf } from './material.ts';

function read(text: string) {
  return readSecretManifests(bytesOf(text), 'secret.yaml');
}

const HEAD = 'apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: team}\n';

function texts(text: string): Record<string, string>[] {
  return read(text).map(({ data }) =>
    Object.fromEntries([...data].map(([key, value]) => [key, Buffer.from(value.reveal()).toString('latin1')])),
  );
}

describe('readSecretManifests', () => {
  it('decodes data, and lets stringData win', () => {
    const text = `${HEAD}data: {a: AAH/, b: b2xk}\nstringData: {b: "new\\n", c: ""}\n`;
    expect(texts(text)).toEqual([{ a: '\u0000\u0001\u00ff', b: 'new\n', c: '' }]);
  });

  it('keeps what sealing carries over of the metadata', () => {
    const text = `${HEAD.replace('}', ', labels: {app: db}, uid: x, annotations: {note: "1"}, finalizers: [a/b]}')}type: Opaque\nimmutable: true\ndata: {a: AA==}\n`;
    const [secret] = read(text);
    expect(secret).toMatchObject({
      metadata: {
        name: 'db',
        namespace: 'team',
        labels: { app: 'db' },
        annotations: { note: '1' },
        finalizers: ['a/b'],
      },
      type: 'Opaque',
      immutable: true,
    });
  });

  it('reads several documents and skips empty ones', () => {
    const text = `---\n${HEAD}data: {a: AA==}\n---\n# nothing\n---\n${HEAD}data: {b: AA==}\n`;
    expect(read(text).map(({ data }) => [...data.keys()])).toEqual([['a'], ['b']]);
  });

  it('takes null in data for an empty value, as kubeseal --recovery-unseal writes it', () => {
    expect(texts(`${HEAD}data: {a: null}\n`)).toEqual([{ a: '' }]);
  });

  it('reads JSON', () => {
    expect(texts('{"apiVersion":"v1","kind":"Secret","metadata":{"name":"db"},"stringData":{"a":"x"}}')).toEqual([
      { a: 'x' },
    ]);
  });

  it.each([
    ['nothing', '', 'SOTTO-SEAL-020', undefined],
    ['a list', '- a\n', 'SOTTO-SEAL-020', 1],
    ['a ConfigMap', 'apiVersion: v1\nkind: ConfigMap\ndata: {a: hunter2}\n', 'SOTTO-SEAL-015', 2],
    ['a List', 'apiVersion: v1\nkind: List\nitems: []\n', 'SOTTO-SEAL-015', 2],
    ['a number in stringData', `${HEAD}stringData:\n  a: 31337\n`, 'SOTTO-SEAL-017', 5],
    ['clear text in data', `${HEAD}data:\n  ok: AA==\n  a: hunter2!\n`, 'SOTTO-SEAL-017', 6],
    ['null in stringData', `${HEAD}stringData:\n  a:\n`, 'SOTTO-SEAL-017', 5],
    ['a list as data', `${HEAD}data: [AA==]\n`, 'SOTTO-SEAL-020', 4],
    ['a text as immutable', `${HEAD}immutable: "true"\ndata: {a: AA==}\n`, 'SOTTO-SEAL-020', 4],
    ['an unquoted yes as label', `${HEAD.replace('}', ', labels: {app: yes}}')}data: {a: AA==}\n`, 'SOTTO-SEAL-020', 3],
    ['broken YAML', `${HEAD}data: {a: "hunter2\n`, 'SOTTO-YAML-001', undefined],
  ])('refuses %s without showing it', async (_name, text, code, line) => {
    const error = await errorOf(() => read(text));
    expect(error.code).toBe(code);
    if (line !== undefined) expect(error.place).toMatchObject({ file: 'secret.yaml', line });
    expect(error.text()).not.toMatch(/hunter2|31337/);
    expect(inspect(error, { depth: 5 })).not.toMatch(/hunter2|31337/);
  });

  it('ends every text in Secrets or a coded error', () => {
    const body = fc.oneof(
      fc.string(),
      fc.json(),
      fc.jsonValue().map((value) => JSON.stringify({ data: value, stringData: value })),
    );
    fc.assert(
      fc.property(body, (text) => {
        try {
          read(text.startsWith('{"data"') ? text.replace('{', '{"apiVersion":"v1","kind":"Secret",') : text);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SottoError);
        }
      }),
    );
  });
});
