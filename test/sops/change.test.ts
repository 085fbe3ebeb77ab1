import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { openForChange } from '../../src/sops/change.ts';
import type { SopsFormat } from '../../src/sops/file.ts';
import { decrypted, encrypted, type KeyPair, newKeyPair } from './fixtures.ts';

let pair: KeyPair;
beforeAll(async () => {
  pair = await newKeyPair();
});

async function change(sealed: string, edit: (clear: string) => string, format: SopsFormat = 'yaml'): Promise<string> {
  using open = await openForChange(sealed, format, 'a.yaml', pair.identities);
  const clear = Buffer.from(open.clear.reveal()).toString();
  return await open.sealed(Buffer.from(edit(clear)), new Date('2026-06-07T08:09:10Z'));
}

/** Lines of the new text that the old one does not have. */
function changedLines(before: string, after: string): string[] {
  const old = new Map<string, number>();
  for (const line of before.split('\n')) old.set(line, (old.get(line) ?? 0) + 1);
  return after.split('\n').filter((line) => {
    const count = old.get(line) ?? 0;
    if (count > 0) old.set(line, count - 1);
    return count === 0;
  });
}

const FILE = `# head
apiVersion: v1
kind: Secret # beside
stringData:
    a: one
    b: 'two' # inline
    num: 12
    float: 1.0
    multi: |
        line
        more
    list: [x, x, "y"]
    # last in stringData
list:
    # in list
    - a
    - a
    - {k: v}
# foot
---
second: document

# tail
`;

describe('a changed file', () => {
  it('differs in the value, the time and the MAC, and in nothing else', async () => {
    const before = await encrypted(FILE, pair.recipient);
    const after = await change(before, (clear) => clear.replace('two', 'three'));
    expect(changedLines(before, after).map((line) => line.trim().replace(/ENC\[.*?\]/, 'ENC'))).toEqual([
      expect.stringMatching(/^b: ENC #ENC/),
      'lastmodified: "2026-06-07T08:09:10Z"',
      'mac: ENC',
      'lastmodified: "2026-06-07T08:09:10Z"',
      'mac: ENC',
    ]);
    expect(await decrypted(after, pair.identities)).toBe(
      (await decrypted(before, pair.identities)).replace('two', 'three'),
    );
  });

  it('keeps all ciphertext when nothing changed', async () => {
    const before = await encrypted(FILE, pair.recipient);
    const after = await change(before, (clear) => clear);
    expect(changedLines(before, after).every((line) => /lastmodified|mac/.test(line))).toBe(true);
    expect(after.split('\n').length).toBe(before.split('\n').length);
  });

  it('takes new entries, loses old ones, and may be laid out anew', async () => {
    const before = await encrypted(FILE, pair.recipient);
    const after = await change(before, () => 'new: {a: one}\nmore:\n- 1\n');
    expect(await decrypted(after, pair.identities)).toBe('new: {a: "one"}\nmore:\n- 1\n');
    const flow = await change(after, () => '{"a": 1, "b": [2]}\n');
    expect(await decrypted(flow, pair.identities)).toBe('{"a": 1, "b": [2]}\n');
    const lines = await change(flow, () => 'x: z\n');
    expect(await decrypted(lines, pair.identities)).toBe('x: z\n');
    const none = await change(lines, () => '{}\n');
    expect(await decrypted(none, pair.identities)).toBe('{}\n');
  });

  it('may be JSON, duplicate keys and order kept', async () => {
    const json = '{\n  "b": "x",\n  "a": 9007199254740993,\n  "b": [1, true, null, "", {}]\n}\n';
    const before = await encrypted(json, pair.recipient, { format: 'json' });
    expect(await decrypted(before, pair.identities, 'json')).toBe(json);
    const after = await change(before, (clear) => clear.replace('9007199254740993', '7'), 'json');
    expect(changedLines(before, after)).toHaveLength(3);
    expect(await decrypted(after, pair.identities, 'json')).toBe(json.replace('9007199254740993', '7'));
  });
});

const VALUE = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.constantFrom('a\nb\n', 'yes', '1.0', '', '😀'),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
);
const TREE = fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), fc.oneof(VALUE, fc.array(VALUE, { maxLength: 3 })), {
  minKeys: 2,
  maxKeys: 8,
});

describe('any file', () => {
  it('of which one value was changed has every other line as it was', async () => {
    await fc.assert(
      fc.asyncProperty(
        TREE,
        fc.nat(),
        fc.constantFrom('yaml' as const, 'json' as const),
        async (tree, pick, format) => {
          const text = `${JSON.stringify(tree, null, 2)}\n`;
          const source =
            format === 'json'
              ? text
              : Object.entries(tree)
                  .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
                  .join('');
          const before = await encrypted(source, pair.recipient, { format });
          const keys = Object.keys(tree);
          const key = keys[pick % keys.length] ?? '';
          const after = await change(
            before,
            (clear) => {
              const lines = clear.split('\n');
              const at = lines.findIndex((line) =>
                line.trimStart().startsWith(format === 'json' ? `"${key}":` : `${key}:`),
              );
              if (format === 'yaml') lines.splice(at, 0, 'zz_new: "new value"');
              else lines.splice(at, 0, '  "zz_new": "new value",');
              return lines.join('\n');
            },
            format,
          );
          const changed = changedLines(before, after);
          expect(changed.filter((line) => !/zz_new|lastmodified|"?mac"?:/.test(line))).toEqual([]);
          expect(changedLines(after, before).filter((line) => !/lastmodified|"?mac"?:/.test(line))).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });
});
