import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bindingOf, mergeItems, mergeTarget } from '../../src/authoring/merge-sealed.ts';
import { VECTOR_RAW } from '../sealed/material.ts';
import { errorOf } from '../sealed/material.ts';

const OTHER = VECTOR_RAW.replace(/[A-Za-z](?=.{20}$)/, (letter) => (letter === 'A' ? 'B' : 'A'));

function file(items: string, tail = ''): string {
  return `# note\napiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: { name: db, namespace: team }\nspec:\n  encryptedData:${items}\n  template: # kept\n    type: Opaque\n${tail}`;
}

function merged(text: string, items: Readonly<Record<string, string>>, name = 'db.yaml'): string {
  return mergeItems(mergeTarget(text, name, ''), new Map(Object.entries(items)));
}

describe('items merged into a SealedSecret', () => {
  it.each([
    ['an empty mapping', ' {}', ` {"b": "${OTHER}"}`],
    ['an empty mapping with a comment', ' {} # none', ` {"b": "${OTHER}"} # none`],
    ['entries on lines of their own', `\n    a: ${VECTOR_RAW}`, `\n    a: ${VECTOR_RAW}\n    b: ${OTHER}`],
    ['a comment behind the last', `\n    a: ${VECTOR_RAW} # old`, `\n    a: ${VECTOR_RAW} # old\n    b: ${OTHER}`],
    ['braces', ` { a: ${VECTOR_RAW} }`, ` { a: ${VECTOR_RAW}, "b": "${OTHER}" }`],
    ['braces with a comma at the end', ` { a: ${VECTOR_RAW}, }`, ` { a: ${VECTOR_RAW}, "b": "${OTHER}", }`],
    ['quotes', `\n    "a": "${VECTOR_RAW}"`, `\n    "a": "${VECTOR_RAW}"\n    b: ${OTHER}`],
    ['a block', `\n    a: >-\n      ${VECTOR_RAW}`, `\n    a: >-\n      ${VECTOR_RAW}\n    b: ${OTHER}`],
  ])('stand at the end of %s, and nothing else changes', (_what, before, after) => {
    expect(merged(file(before), { b: OTHER })).toBe(file(after));
  });

  it('take the place of what has their name, in its own form', () => {
    const two = file(`\n    a: ${VECTOR_RAW} # kept\n    b: "${VECTOR_RAW}"`);
    expect(merged(two, { a: OTHER })).toBe(two.replace(VECTOR_RAW, OTHER));
    expect(merged(file(` { a: ${VECTOR_RAW} }`), { a: OTHER })).toBe(file(` { a: "${OTHER}" }`));
    const block = file(`\n    a: |-\n      ${VECTOR_RAW}\n    b: ${VECTOR_RAW}`);
    expect(mergeTarget(merged(block, { a: OTHER }), 'db.yaml', '').sealed.items.map(({ text }) => text)).toEqual([
      OTHER,
      VECTOR_RAW,
    ]);
  });

  it('are written so that every reader of YAML takes their names as text', () => {
    const text = merged(file(`\n    a: ${VECTOR_RAW}`), {
      on: OTHER,
      '1': OTHER,
      '.dockerconfigjson': OTHER,
      'x-y.z': OTHER,
    });
    for (const line of [`"on": `, `"1": `, `".dockerconfigjson": `, 'x-y.z: '])
      expect(text).toContain(`\n    ${line}${OTHER}`);
  });

  it('go into JSON, and into a file with other documents and line ends of Windows', () => {
    const json = JSON.stringify(
      {
        apiVersion: 'bitnami.com/v1alpha1',
        kind: 'SealedSecret',
        metadata: { name: 'db', namespace: 'team' },
        spec: { encryptedData: { a: VECTOR_RAW } },
      },
      undefined,
      2,
    );
    expect(JSON.parse(merged(json, { b: OTHER }, 'db.json'))).toMatchObject({
      spec: { encryptedData: { a: VECTOR_RAW, b: OTHER } },
    });
    const many = `kind: ConfigMap\n---\n${file(`\n    a: ${VECTOR_RAW}`)}---\nkind: Deployment\n`.replaceAll(
      '\n',
      '\r\n',
    );
    expect(merged(many, { b: OTHER })).toBe(many.replace(`${VECTOR_RAW}\r\n`, `${VECTOR_RAW}\r\n    b: ${OTHER}\r\n`));
  });

  it.each([
    ['no SealedSecret', 'kind: Secret\n', 'SOTTO-SEAL-024'],
    ['two', `${file(' {}')}---\n${file(' {}')}`, 'SOTTO-SEAL-024'],
    ['no encryptedData', file(' {}').replace('  encryptedData: {}\n', ''), 'SOTTO-SEAL-003'],
    [
      'the form of 2018',
      file(' {}').replace('encryptedData:', `data: ${VECTOR_RAW}\n  encryptedData:`),
      'SOTTO-SEAL-010',
    ],
    ['an alias', file(' *x').replace('# note', 'x: &x {}'), 'SOTTO-SEAL-024'],
  ])('are refused for %s', async (_what, text, code) => {
    expect((await errorOf(() => merged(text, { b: OTHER }))).code).toBe(code);
  });

  it('are bound to what the file says, in every scope, and are all there afterwards, whatever the layout', () => {
    const key = fc.stringMatching(/^[-._a-zA-Z0-9]{1,6}$/).filter((name) => !/^\.{1,2}/.test(name));
    const layout = fc.constantFrom('block', 'flow', 'quoted', 'json');
    const scope = fc.constantFrom('namespace-wide', 'cluster-wide', '');
    fc.assert(
      fc.property(
        fc.uniqueArray(key, { maxLength: 5 }),
        fc.uniqueArray(key, { minLength: 1, maxLength: 5 }),
        layout,
        scope,
        (present, added, form, wide) => {
          const manifest = {
            apiVersion: 'bitnami.com/v1alpha1',
            kind: 'SealedSecret',
            metadata: {
              name: 'db',
              namespace: 'team',
              annotations: wide === '' ? {} : { [`sealedsecrets.bitnami.com/${wide}`]: 'true' },
            },
          };
          const pairs = present.map((name): [string, string] => [name, VECTOR_RAW]);
          const items = Object.fromEntries(pairs);
          const text =
            form === 'json'
              ? JSON.stringify({ ...manifest, spec: { encryptedData: items } })
              : `${JSON.stringify(manifest).slice(0, -1)}, "spec": { "encryptedData": ${JSON.stringify(items)} } }`;
          const block = `apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: ${JSON.stringify(manifest.metadata)}\nspec:\n  encryptedData:${pairs.length === 0 ? ' {}' : pairs.map(([name, value]) => `\n    ${JSON.stringify(name)}: ${form === 'quoted' ? `'${value}'` : value}`).join('')}\n`;
          const before = form === 'block' || form === 'quoted' ? block : text;
          const name = form === 'json' ? 'db.json' : 'db.yaml';
          const after = merged(before, Object.fromEntries(added.map((each) => [each, OTHER])), name);
          const { sealed } = mergeTarget(after, name, '');
          const expected = { ...items, ...Object.fromEntries(added.map((each) => [each, OTHER])) };
          expect(Object.fromEntries(sealed.items.map((item) => [item.key, item.text]))).toEqual(expected);
          expect(bindingOf(mergeTarget(after, name, '')).scope).toBe(wide === '' ? 'strict' : wide);
        },
      ),
    );
  });
});
