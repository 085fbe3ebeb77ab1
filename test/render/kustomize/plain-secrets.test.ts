import { describe, expect, it } from 'vitest';
import { isInClear } from '../../../src/render/kustomize/encryption.ts';
import { scan } from '../../../src/render/kustomize/scan.ts';
import { encrypted, newKeyPair } from '../../sops/fixtures.ts';
import { DB, kustomization, MAP, SECRET, tree } from './trees.ts';

/** `what file:line key` of each secret in clear. */
function plaintext(text: string, ...others: readonly string[]): string[] {
  const scanned = scan(tree(kustomization(text, ...others)), '');
  if (!scanned.ok) throw scanned.refusals[0] ?? new Error('no refusal');
  return scanned.result.plaintext.map(({ what, file, line, key }) => `${what} ${file}:${line} ${key}`);
}

const inline = (patch: string, target = ''): string =>
  `resources: [map.yaml]\npatches:\n- ${target}\n  patch: |-\n    ${patch.replaceAll('\n', '\n    ')}`;
const operations = '- { op: add, path: /stringData/a, value: hunter2 }';

describe('a secret in clear', () => {
  it('is told where it is a resource, in a list too, at the first value', () => {
    expect(plaintext('resources: [db.yaml]', DB)).toEqual(['manifest db.yaml:6 stringData.password']);
    const list = `-- l.yaml\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: { name: a }\n  data:\n    x: ""\n    y: eA==\n`;
    expect(plaintext('resources: [l.yaml]', list)).toEqual(['manifest l.yaml:9 data.y']);
  });

  it.each([
    ['a merge patch', inline(SECRET)],
    ['JSON6902 for Secrets', inline(operations, 'target: { kind: Secret }')],
    ['JSON6902 for kinds that a pattern gives', inline(operations, 'target: { kind: Sec.* }')],
    ['JSON6902 for whatever has the name', inline(operations, 'target: { name: db }')],
    [
      'a merge patch that calls itself something else',
      inline(
        'apiVersion: v1\nkind: Any\nmetadata: { name: x }\nstringData: { a: hunter2 }',
        'target: { kind: Secret }',
      ),
    ],
  ])('is told where it is %s in place', (_name, text) => {
    expect(plaintext(text, MAP)).toEqual([
      expect.stringMatching(/^manifest kustomization\.yaml:\d+ patches\.0\.patch$/),
    ]);
  });

  it.each([
    ['a merge patch', 'patches: [{ path: p.yaml }]', SECRET],
    ['JSON6902', 'patches: [{ path: p.yaml, target: { kind: Secret } }]', operations],
    ['JSON6902 for whatever has the name', 'patches: [{ path: p.yaml, target: { name: db } }]', operations],
    [
      'a merge patch that calls itself something else',
      'patches: [{ path: p.yaml, target: { kind: Secret } }]',
      'kind: Any\nmetadata: { name: x }\nstringData: { a: hunter2 }',
    ],
  ])('is told where it is %s in a file', (_name, text, patch) => {
    expect(plaintext(text, `-- p.yaml\n${patch}\n`)).toEqual([expect.stringContaining('manifest p.yaml')]);
  });

  it('is told of generators: literals, files, env files', () => {
    const text = 'secretGenerator: [{ name: g, literals: [a=b], files: [f], envs: [e] }]';
    expect(plaintext(text, '-- f\nx\n', '-- e\nA=b\n').map((each) => each.split(' ')[0])).toEqual([
      'literal',
      'file',
      'env-file',
    ]);
  });

  it('is nothing that holds no value, and nothing for other kinds', () => {
    expect(
      plaintext(inline('apiVersion: v1\nkind: Secret\nmetadata: { name: a }\nstringData: { a: null, b: "" }'), MAP),
    ).toEqual([]);
    expect(
      plaintext(
        inline(
          '- { op: remove, path: /stringData/a }\n- { op: copy, from: /data/a, path: /data/b }',
          'target: { kind: Secret }',
        ),
        MAP,
      ),
    ).toEqual([]);
    expect(plaintext(inline('- { op: add, path: /data/a, value: b }', 'target: { kind: ConfigMap }'), MAP)).toEqual([]);
    expect(
      plaintext(inline('- { op: add, path: /metadata/labels/a, value: b }', 'target: { kind: Secret }'), MAP),
    ).toEqual([]);
    expect(
      plaintext(
        'resources: [x.yaml]',
        '-- x.yaml\napiVersion: example.com/v1\nkind: Secret\nmetadata: { name: a }\ndata: { a: b }\n',
      ),
    ).toEqual([]);
  });
});

describe('a file that sops has seen', () => {
  it('is in clear when nothing in it is encrypted but the MAC', async () => {
    const { recipient } = await newKeyPair();
    const of = async (regex: string) =>
      Buffer.from(await encrypted(SECRET, recipient, { selector: { kind: 'encrypted_regex', value: regex } }));
    expect(isInClear(await of('^stringData$'), 'yaml')).toBe(false);
    expect(isInClear(await of('^nothing$'), 'yaml')).toBe(true);
    expect(isInClear(Buffer.from(SECRET), 'none')).toBe(true);
  });
});
