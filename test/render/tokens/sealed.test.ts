import { describe, expect, it } from 'vitest';
import { SecretRef } from '../../../src/core/closed.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { Opener } from '../../../src/open/opener.ts';
import { closeSealed } from '../../../src/render/tokens/sealed.ts';
import { TokenTable } from '../../../src/render/tokens/table.ts';
import { readManifests } from '../../../src/yaml/manifest.ts';
import { errorOf, parse, sealedManifest, VECTOR_RAW, vectorKey, vectorManifest } from '../../sealed/material.ts';
import { refusal } from '../../sops/fixtures.ts';
import { filledValues, testKey } from './secrets.ts';

const opener = new Opener({ ageIdentities: [], sealingKeys: [vectorKey()] });
const context = { key: testKey(), opener, namespace: 'default', recall: () => undefined };
const MAP = '# a comment\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {on: "yes"}\n';
/** Not what the vector was sealed for. */
const ELSEWHERE = { name: 'db', namespace: 'elsewhere' };
const SEALED = JSON.stringify(vectorManifest('strict'));

describe('a file with SealedSecrets', () => {
  it('has the Secret in place of each, with tokens, and everything else as it was', async () => {
    const text = `${MAP}---\n${SEALED}\n---\n${MAP}`;
    const closed = await closeSealed({ path: 's.yaml', text }, context);
    const bytes = Buffer.from(closed?.bytes ?? []).toString();
    expect([bytes.startsWith(`${MAP}---\n{`), bytes.endsWith(`\n---\n${MAP}`)]).toEqual([true, true]);
    const [, secret] = readManifests(bytes, 's.yaml').map(({ value }) => value as JsonObject);
    expect(secret?.['kind']).toBe('Secret');
    const values = await filledValues(secret ?? {}, { table: new TokenTable(closed?.entries ?? []), opener });
    for (const item of parse(vectorManifest('strict')).items) {
      using value = await opener.open(new SecretRef(parse(vectorManifest('strict')), item, 'value', 1));
      expect(values[item.key]).toEqual(Buffer.from(value.reveal()));
      if (value.length > 0) expect(bytes).not.toContain(Buffer.from(value.reveal()).toString());
    }
  });

  it('has texts of template.data with tokens in the place of values, encoded ones too', async () => {
    const manifest = structuredClone(vectorManifest('strict')) as { spec: { template: JsonObject } } & JsonObject;
    const data = { url: 'db://{{ .password }}@x', auth: '{{ .password | b64enc }}', clear: 'x' };
    manifest.spec.template = { ...manifest.spec.template, data };
    const closed = await closeSealed({ path: 's.json', text: JSON.stringify(manifest) }, context);
    const [secret] = readManifests(Buffer.from(closed?.bytes ?? []).toString(), 's.json').map(({ value }) => value);
    const table = new TokenTable(closed?.entries ?? []);
    const values = await filledValues(secret as JsonObject, { table, opener });
    const password = Buffer.from(values['password'] ?? []);
    expect(Buffer.from(values['url'] ?? [])).toEqual(
      Buffer.concat([Buffer.from('db://'), password, Buffer.from('@x')]),
    );
    expect(Buffer.from(values['auth'] ?? []).toString()).toBe(password.toString('base64'));
    expect(Buffer.from(closed?.bytes ?? []).toString()).not.toContain(password.toString('base64'));
  });

  it('fails as a whole, with every item named that is malformed or that no key opens', async () => {
    const cases = [
      { a: VECTOR_RAW, b: VECTOR_RAW },
      { a: VECTOR_RAW, cut: 'AAAA' },
    ];
    const named = cases.map(async (encryptedData) => {
      const text = JSON.stringify(sealedManifest({ encryptedData }, ELSEWHERE));
      return (await errorOf(() => closeSealed({ path: 's.json', text }, context))).place.key;
    });
    expect(await Promise.all(named)).toEqual(['a, b', 'a, cut']);
  });

  it('is closed again from memory without a key', async () => {
    const file = { path: 's.json', text: SEALED };
    const first = await closeSealed(file, context);
    const never = { open: () => Promise.reject(new Error('it was opened')) };
    const again = await closeSealed(file, { ...context, opener: never, recall: () => first?.memory });
    expect(again?.bytes).toEqual(first?.bytes);
  });

  it('is left alone when there is none in it, and refused when one is in a list', async () => {
    expect(await closeSealed({ path: 'm.yaml', text: `${MAP}# SealedSecret\n` }, context)).toBeUndefined();
    const list = `apiVersion: v1\nkind: List\nitems: [${SEALED}]\n`;
    expect(await refusal(() => closeSealed({ path: 'l.yaml', text: list }, context))).toEqual({
      code: 'SOTTO-RENDER-042',
      line: 1,
    });
  });
});
