import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Json, stringifyJson } from '../../src/core/json.ts';
import { SopsLeaf, parseSopsFile } from '../../src/sops/file.ts';
import { readManifests } from '../../src/yaml/manifest.ts';
import { decrypted, encrypted, newKeyPair, refusal } from './fixtures.ts';

const pair = await newKeyPair();
const ENC = /ENC\[AES256_GCM,[^\]]*\]/g;
const masked = (text: string): string => text.replace(ENC, 'ENC').replace(/sops:\n(?: +.*\n)*/g, 'SOPS\n');

describe('an encrypted file', () => {
  it('keeps every character but the values, the comments and the block', async () => {
    const text = [
      '# head',
      'kind: Secret # inline',
      '',
      'data:   {a: "x", b: [1, true, ~]}',
      'text: |-  # block',
      '  several',
      '',
      '  lines',
      '',
      'folded: >',
      '    a',
      '    b',
      'quoted: "a',
      '  b"',
      "empty: ''",
      'open_unencrypted: 0777',
      'tagged: !!str 12',
      'list:',
      '- 2024-01-01',
      '-   x',
      '...',
      '---',
      'second: document',
      '',
    ].join('\n');
    expect(masked(await encrypted(text, pair.recipient))).toBe(
      [
        '#ENC',
        'kind: ENC #ENC',
        '',
        'data:   {a: "ENC", b: ["ENC", "ENC", ~]}',
        'text: ENC  #ENC',
        '',
        'folded: ENC',
        'quoted: ENC',
        "empty: ''",
        'open_unencrypted: 0777',
        'tagged: ENC',
        'list:',
        '- ENC',
        '-   ENC',
        'SOPS',
        '...',
        '---',
        'second: ENC',
        'SOPS',
        '',
      ].join('\n'),
    );
  });

  it('has the block of sops 3.13: alphabetical, the time quoted', async () => {
    const text = await encrypted('a: 1', pair.recipient, {
      selector: { kind: 'encrypted_regex', value: '^(data|stringData)$' },
      macOnlyEncrypted: true,
    });
    const keys = [...text.matchAll(/^ {4}(\w+):/gm)].map(([, key]) => key);
    expect(keys).toEqual(['age', 'encrypted_regex', 'lastmodified', 'mac', 'mac_only_encrypted', 'version']);
    expect(text).toContain('\n    encrypted_regex: ^(data|stringData)$\n    lastmodified: "2026-01-02T03:04:05Z"\n');
    expect(text.startsWith('a: 1\nsops:\n    age:\n        - enc: |\n            -----BEGIN AGE')).toBe(true);
    expect(await decrypted(text, pair.identities)).toBe('a: 1\n');
  });

  it('encrypts what the selector covers, ancestors counted, and comments with their container', async () => {
    const text = '# top\nkind: Secret\ndata:\n  # inner\n  a: x\n  b: {c: y}\nmetadata: {data: z, name: n}\n';
    const selector = { kind: 'encrypted_regex', value: '^data$' } as const;
    expect(masked(await encrypted(text, pair.recipient, { selector }))).toBe(
      '# top\nkind: Secret\ndata:\n  #ENC\n  a: ENC\n  b: {c: "ENC"}\nmetadata: {data: "ENC", name: n}\nSOPS\n',
    );
    const suffix = { kind: 'encrypted_suffix', value: '_x' } as const;
    expect(masked(await encrypted('a: 1\nb_x: 2\nc_x: {d: 3}\n', pair.recipient, { selector: suffix }))).toBe(
      'a: 1\nb_x: ENC\nc_x: {d: "ENC"}\nSOPS\n',
    );
  });

  it('may be JSON, indented as it was', async () => {
    const text = '{\n  "a": [1, 1.5, "x", null, true],\n  "b": {"c": ""}\n}\n';
    const sealed = await encrypted(text, pair.recipient, { format: 'json' });
    expect(sealed).toContain('\n  "sops": {\n    "age": [\n      {\n        "enc": "-----BEGIN');
    expect(await decrypted(sealed, pair.identities, 'json')).toBe(text);
    const flat = await encrypted('{"a":1}', pair.recipient, { format: 'json' });
    expect(await decrypted(flat, pair.identities, 'json')).toBe('{"a":1}');
  });

  it('may be one mapping in braces, windows text, or indented', async () => {
    for (const text of ['{a: x, b: {c: z}}\n', 'a: x\r\nb: z\r\n', '  a: x\n  b:\n  - z\n', '{a: x, }', 'a: x # c']) {
      const sealed = await encrypted(text, pair.recipient);
      expect(readManifests(await decrypted(sealed, pair.identities), 'a.yaml')).toMatchObject(
        readManifests(text, 'a.yaml').map(({ value }) => ({ value })),
      );
    }
  });

  it('for several recipients opens for each of them', async () => {
    const second = await newKeyPair();
    const text = await encrypted('a: x\n', pair.recipient, { recipients: [pair.recipient, second.recipient] });
    expect(await decrypted(text, pair.identities)).toBe('a: x\n');
    expect(await decrypted(text, second.identities)).toBe('a: x\n');
  });

  it.each([
    ['', 'SOTTO-SOPS-018'],
    ['# nothing\n', 'SOTTO-SOPS-018'],
    ['---\n---\na: 1\n', 'SOTTO-SOPS-018'],
    ['- a\n', 'SOTTO-SOPS-014'],
    ['a: 1\nsops: {}\n', 'SOTTO-SOPS-016'],
    ['1: a\n', 'SOTTO-SOPS-013'],
    ['true: a\n', 'SOTTO-SOPS-013'],
    ['a: 1\na: 2\n', 'SOTTO-YAML-008'],
    ['a: 9223372036854775808\n', 'SOTTO-SOPS-017'],
  ])('cannot be made of %j', async (text, code) => {
    expect((await refusal(() => encrypted(text, pair.recipient))).code).toBe(code);
  });

  it('cannot be made with a selector that sops would misread', async () => {
    const selector = { kind: 'encrypted_regex', value: '(' } as const;
    expect((await refusal(() => encrypted('a: 1\n', pair.recipient, { selector }))).code).toBe('SOTTO-SOPS-010');
  });
});

describe('a decrypted value', () => {
  it.each([
    ['a word', 'hunter', 'hunter'],
    ['a keyword', '"Yes"', '"Yes"'],
    ['several lines', '"a\\n  b\\n\\nc\\n"', '|\n  a\n    b\n\n  c'],
    ['lines without the last break', '"a\\nb"', '|-\n  a\n  b'],
    ['lines that start with a blank', '" a\\nb"', '" a\\nb"'],
    ['control characters', '"\\e\\0\\x85\\u2028\\ufeff"', '"\\x1B\\x00\\x85\\u2028\\uFEFF"'],
    ['quotes', `'a "b" \\ c'`, '"a \\"b\\" \\\\ c"'],
    ['letters of the world', '"日本 é 😀"', '"日本 é 😀"'],
    ['a number as text', '"12"', '"12"'],
    ['a number', '-12', '-12'],
    ['true', 'TRUE', 'true'],
    ['infinity', '-.inf', '-.inf'],
  ])('is written as it can be read: %s', async (_name, scalar, expected) => {
    const sealed = await encrypted(`v: ${scalar}\n`, pair.recipient);
    expect(await decrypted(sealed, pair.identities)).toBe(`v: ${expected}\n`);
  });

  it('whose type was relabelled stays text', async () => {
    for (const type of ['int', 'float', 'bool', 'time', 'bytes']) {
      const sealed = await encrypted('v: "1\\nadmin: x"\n', pair.recipient);
      const relabelled = sealed.replace('type:str', `type:${type}`);
      expect(readManifests(await decrypted(relabelled, pair.identities), 'a')[0]?.value).toEqual({ v: '1\nadmin: x' });
    }
  });

  it('in a comment stays on its line', async () => {
    const sealed = await encrypted('# top\nv: 1 # c\n', pair.recipient);
    expect(await decrypted(sealed, pair.identities)).toBe('# top\nv: 1 # c\n');
  });
});

// Keys that no reader of YAML takes for anything but text, and no integer-like ones, which JavaScript would reorder.
const key = fc.stringMatching(/^[k][a-zA-Z_.:/ -]{0,6}[a-z]$/);
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }).map((value) => value.replaceAll(/[\ud800-\udfff]/g, '')),
  fc
    .array(fc.constantFrom('a', ' ', '\n', '#', '"', "'", '- ', ': ', '\t', '\\', '\r', '{', '|', 'é'), {
      maxLength: 12,
    })
    .map((parts) => parts.join('')),
);
const leaf = fc.oneof(
  text,
  fc.boolean(),
  fc.constant(null),
  fc.maxSafeInteger(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
  // Digits beyond 64 bits with a sign: sops refuses them, and so do we.
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !/^-?\d{19,}$/.test(String(value))),
);
const { root } = fc.letrec<{ root: Record<string, Json>; node: Json }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('node'), { maxLength: 3 }),
    fc.dictionary(key, tie('node'), { maxKeys: 3 }).map((entries): Json => ({ ...entries })),
  ),
  root: fc.dictionary(key, tie('node'), { minKeys: 1, maxKeys: 4 }).map((entries) => ({ ...entries })),
}));

describe('any tree', () => {
  it('comes back from JSON as it was', async () => {
    await fc.assert(
      fc.asyncProperty(root, async (tree) => {
        const clear = stringifyJson(tree);
        const sealed = await encrypted(clear, pair.recipient, { format: 'json' });
        const back = await decrypted(sealed, pair.identities, 'json');
        expect(readManifests(back, 'a.json')[0]?.value).toEqual(readManifests(clear, 'a.json')[0]?.value);
      }),
      { numRuns: 60 },
    );
  });

  it('comes back from YAML as it was, and what is secret in it does not stand in the encrypted text', async () => {
    await fc.assert(
      fc.asyncProperty(root, fc.boolean(), async (tree, inBraces) => {
        const clear = inBraces ? asYaml(tree) : blockOf(tree);
        const sealed = await encrypted(clear, pair.recipient);
        const back = await decrypted(sealed, pair.identities);
        expect(readManifests(back, 'a.yaml')[0]?.value).toEqual(readManifests(clear, 'a.yaml')[0]?.value);
        for (const secret of texts(tree)) expect(sealed).not.toContain(secret);
      }),
      { numRuns: 100 },
    );
  });
});

/** JSON is YAML once the characters are escaped that YAML does not take as they are. */
function asYaml(value: Json): string {
  return stringifyJson(value).replaceAll(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function blockOf(tree: Record<string, Json>): string {
  return Object.entries(tree)
    .map(([name, value]) => `${JSON.stringify(name)}: ${asYaml(value)}\n`)
    .join('');
}

/** Texts that are long and strange enough not to be in a file by accident. */
function texts(value: Json): string[] {
  if (typeof value === 'string') return /^[ -~]{12,}$/.test(value) ? [value] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap((item: Json) => texts(item)) : [];
}

describe('the leaves of a file', () => {
  it('know their places', async () => {
    const file = parseSopsFile(await encrypted('a: {yes: [x, {"8": z}]}\n', pair.recipient), 'yaml', 'a.yaml');
    const tree = file.documents[0]?.tree;
    const found: unknown[] = [];
    const visit = (node: unknown): void => {
      if (node instanceof SopsLeaf)
        found.push({ path: node.path, place: node.place, line: node.line, type: node.type });
      else if (typeof node === 'object' && node !== null) Object.values(node).forEach(visit);
    };
    visit(tree);
    expect(found).toEqual([
      { path: ['a', 'yes'], place: ['a', 'true', '0'], line: 1, type: 'str' },
      { path: ['a', 'yes', '8'], place: ['a', 'true', '1', '8'], line: 1, type: 'str' },
    ]);
  });
});
