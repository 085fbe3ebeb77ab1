import { armor, Encrypter } from 'age-encryption';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { openLeaf, unwrapDataKey } from '../../src/sops/data-key.ts';
import { looksEncrypted, parseSopsFile, SopsLeaf } from '../../src/sops/file.ts';
import { verifyMac } from '../../src/sops/mac.ts';
import { encrypted, newKeyPair, refusal } from './fixtures.ts';

const pair = await newKeyPair();
const other = await newKeyPair();
const CLEAR = [
  'apiVersion: v1',
  'kind: Secret',
  'metadata:',
  '  name: db',
  'stringData:',
  '  user: admin',
  '  password: hunter2-hunter2',
  'list: [one, two]',
  'empty: ""',
  '---',
  'stringData:',
  '  second: hunter3-hunter3',
  '',
].join('\n');
const selector = { kind: 'encrypted_regex', value: '^(stringData|list)$' } as const;
const GOOD = await encrypted(CLEAR, pair.recipient, { selector });
const ENC = /ENC\[AES256_GCM,[^\]]*\]/;

async function check(text: string, identities = pair.identities): Promise<void> {
  const file = parseSopsFile(text, 'yaml', 'db.yaml');
  using dataKey = await unwrapDataKey(file, identities);
  await verifyMac(file, dataKey);
}

/** The ciphertext of one key of the good file. */
function encOf(key: string): string {
  return new RegExp(`${key}: (${ENC.source})`).exec(GOOD)?.[1] ?? '';
}

describe('a SOPS file', () => {
  it('shows its structure without a key', () => {
    const file = parseSopsFile(GOOD, 'yaml', 'db.yaml');
    const [first, second] = file.documents;
    expect(first?.tree).toMatchObject({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, empty: '' });
    expect(first?.tree).not.toHaveProperty('sops');
    expect(first?.lineAt(['stringData', 'password'])).toBe(7);
    expect(second?.tree).toEqual({ stringData: { second: expect.any(SopsLeaf) } });
    expect(file.metadata).toMatchObject({ selector, macOnlyEncrypted: false, lastModified: '2026-01-02T03:04:05Z' });
  });

  it('opens leaf by leaf, and as a whole its MAC fits', async () => {
    await check(GOOD);
    const file = parseSopsFile(GOOD, 'yaml', 'db.yaml');
    using dataKey = await unwrapDataKey(file, pair.identities);
    const tree = file.documents[0]?.tree;
    const data = typeof tree === 'object' && tree !== null && 'stringData' in tree ? tree.stringData : undefined;
    const leaf = typeof data === 'object' && data !== null && 'password' in data ? data.password : undefined;
    if (!(leaf instanceof SopsLeaf)) throw new Error('no leaf');
    using value = await openLeaf(file, leaf, dataKey);
    expect(Buffer.from(value.reveal()).toString()).toBe('hunter2-hunter2');
    expect(`${String(value)}${JSON.stringify(value)}`).not.toContain('hunter');
  });

  it('with the date written another way is the same to sops', async () => {
    for (const same of ['2026-01-02T03:04:05.999Z', '2026-01-02T03:04:05+00:00']) {
      await check(GOOD.replaceAll('2026-01-02T03:04:05Z', same));
    }
  });

  const swapped = GOOD.replace(encOf('user'), 'X')
    .replace(encOf('password'), encOf('user'))
    .replace('X', encOf('password'));
  it.each<readonly [string, string, { code: string; line?: number; key?: string }]>([
    ['a clear value changed', GOOD.replace('name: db', 'name: dc'), { code: 'SOTTO-SOPS-001' }],
    ['a clear value added', GOOD.replace('kind: Secret', 'kind: Secret\nimmutable: true'), { code: 'SOTTO-SOPS-001' }],
    ['a clear value removed', GOOD.replace('  name: db\n', '  {}\n'), { code: 'SOTTO-SOPS-001' }],
    ['an encrypted value removed', GOOD.replace(/ {2}user: .*\n/, ''), { code: 'SOTTO-SOPS-001' }],
    ['an encrypted value emptied', GOOD.replace(encOf('user'), '""'), { code: 'SOTTO-SOPS-001' }],
    [
      'a selected value in clear',
      GOOD.replace(encOf('user'), 'root'),
      { code: 'SOTTO-SOPS-005', line: 6, key: 'stringData.user' },
    ],
    [
      'a selected number in clear',
      GOOD.replace(encOf('user'), '12'),
      { code: 'SOTTO-SOPS-005', line: 6, key: 'stringData.user' },
    ],
    [
      'a value moved',
      GOOD.replace(encOf('user'), encOf('password')),
      { code: 'SOTTO-SOPS-007', line: 6, key: 'stringData.user' },
    ],
    ['two values swapped', swapped, { code: 'SOTTO-SOPS-007', line: 6, key: 'stringData.user' }],
    ['a key renamed', GOOD.replace('  user:', '  used:'), { code: 'SOTTO-SOPS-007', line: 6, key: 'stringData.used' }],
    [
      'list elements swapped',
      GOOD.replace(/\["(ENC[^"]*)", "(ENC[^"]*)"\]/, '["$2", "$1"]'),
      { code: 'SOTTO-SOPS-001' },
    ],
    [
      'a value damaged',
      GOOD.replace(encOf('user'), encOf('user').replace(',iv:', ',vi:')),
      { code: 'SOTTO-SOPS-006', line: 6, key: 'stringData.user' },
    ],
    [
      'a value turned into a comment',
      GOOD.replace(encOf('user'), encOf('user').replace('type:str', 'type:comment')),
      { code: 'SOTTO-SOPS-006', line: 6, key: 'stringData.user' },
    ],
    [
      'a list element turned into a comment',
      GOOD.replace(/(list: .*?)type:str/, '$1type:comment'),
      { code: 'SOTTO-SOPS-001' },
    ],
    ['the selector changed', GOOD.replace('^(stringData|list)$', '^(stringData)$'), { code: 'SOTTO-SOPS-001' }],
    [
      'only encrypted values covered',
      GOOD.replaceAll(/( {4}mac: .*)/g, '$1\n    mac_only_encrypted: true'),
      { code: 'SOTTO-SOPS-001' },
    ],
    ['the date changed', GOOD.replaceAll('03:04:05Z', '03:04:06Z'), { code: 'SOTTO-SOPS-001' }],
    ['the MAC removed', GOOD.replaceAll(/ {4}mac: .*\n/g, ''), { code: 'SOTTO-SOPS-004' }],
    ['the MAC damaged', GOOD.replaceAll(/ {4}mac: .*\n/g, '    mac: x\n'), { code: 'SOTTO-SOPS-001' }],
    ['a document removed', GOOD.slice(0, GOOD.indexOf('---\nstringData')), { code: 'SOTTO-SOPS-001' }],
    ['a clear document added', `${GOOD}---\na: 1\n`, { code: 'SOTTO-SOPS-001' }],
    ['a list as a document', `${GOOD}---\n- a\n`, { code: 'SOTTO-SOPS-014' }],
    ['a number as a key', GOOD.replace('  user:', '  12:'), { code: 'SOTTO-SOPS-013', line: 6 }],
    [
      'a key twice',
      GOOD.replace('kind: Secret', 'kind: Secret\nkind: Secret'),
      { code: 'SOTTO-YAML-008', line: 3, key: 'kind' },
    ],
    [
      'an alias of a value',
      GOOD.replace(`user: ${encOf('user')}`, `user: &a ${encOf('user')}\n  again: *a`),
      { code: 'SOTTO-SOPS-015' },
    ],
  ])('is refused with %s', async (_name, text, expected) => {
    expect(text).not.toBe(GOOD);
    expect(await refusal(() => check(text))).toMatchObject(expected);
  });

  it.each<readonly [string, (block: string) => string, string]>([
    ['no block', () => '', 'SOTTO-SOPS-002'],
    ['a block that is a word', () => 'sops: x\n', 'SOTTO-SOPS-003'],
    ['an empty block', () => 'sops: {}\n', 'SOTTO-SOPS-003'],
    ['the block twice', (block) => block + block, 'SOTTO-SOPS-003'],
    ['the date unquoted', (block) => block.replace(/"(2026[^"]*)"/, '$1'), 'SOTTO-SOPS-003'],
    ['no date', (block) => block.replace(/ {4}lastmodified.*\n/, ''), 'SOTTO-SOPS-003'],
    ['a date that is none', (block) => block.replace(/"2026-01/, '"2026-13'), 'SOTTO-SOPS-003'],
    ['no version', (block) => block.replace(/ {4}version.*\n/, ''), 'SOTTO-SOPS-003'],
    ['a version of two numbers', (block) => block.replace('3.13.3', '3.13'), 'SOTTO-SOPS-003'],
    ['two selectors', (block) => `${block}    encrypted_suffix: _x\n`, 'SOTTO-SOPS-008'],
    ['a comment selector beside another', (block) => `${block}    encrypted_comment_regex: x\n`, 'SOTTO-SOPS-008'],
    ['a broken regex', (block) => block.replace('^(stringData|list)$', "'('"), 'SOTTO-SOPS-010'],
    [
      'keys of services',
      (block) => block.replace(/ {4}age:\n(?: {8,}.*\n)*/, '    gcp_kms: [{resource_id: a}]\n'),
      'SOTTO-SOPS-070',
    ],
    [
      'an OpenPGP entry that is no message',
      (block) => block.replace(/ {4}age:\n(?: {8,}.*\n)*/, '    pgp: [{fp: A}]\n'),
      'SOTTO-SOPS-060',
    ],
    [
      'key groups that name no key',
      (block) => block.replace(/ {4}age:\n(?: {8,}.*\n)*/, '    key_groups: [{}, {}]\n'),
      'SOTTO-SOPS-012',
    ],
    [
      'a threshold that no number of key groups reaches',
      (block) => block.replace(/ {4}age:\n(?: {8,}.*\n)*/, '    key_groups: [{}, {}]\n    shamir_threshold: 3\n'),
      'SOTTO-SOPS-003',
    ],
    ['no keys', (block) => block.replace(/ {4}age:\n(?: {8,}.*\n)*/, ''), 'SOTTO-SOPS-012'],
    ['a damaged wrap', (block) => block.replace('-----BEGIN AGE', '-----BEGIN EGA'), 'SOTTO-AGE-005'],
    ['a field twice', (block) => `${block}    VERSION: 3.13.3\n`, 'SOTTO-SOPS-003'],
    ['a date that is a list', (block) => block.replace(/lastmodified: .*/, 'lastmodified: []'), 'SOTTO-SOPS-003'],
  ])('is refused with %s', async (_name, change, code) => {
    const [block = ''] = /^sops:\n(?: +.*\n)*/m.exec(GOOD) ?? [];
    const text = GOOD.replace(block, () => change(block));
    expect((await refusal(() => check(text))).code).toBe(code);
  });

  it.each([0, 16, 31, 33, 64])('is refused with a data key of %i bytes, which is not used', async (bytes) => {
    const encrypter = new Encrypter();
    encrypter.addRecipient(pair.recipient);
    const wrapped = armor.encode(await encrypter.encrypt(Buffer.alloc(bytes, 7)));
    const indented = wrapped.trimEnd().replaceAll('\n', `\n${' '.repeat(12)}`);
    const text = GOOD.replaceAll(/-----BEGIN AGE[^]*?-----END AGE ENCRYPTED FILE-----/g, indented);
    expect(await refusal(() => check(text))).toMatchObject({ code: 'SOTTO-AGE-006', key: 'sops.age' });
  });

  it('for somebody else names both sides', async () => {
    const text = await refusalText(() => check(GOOD, other.identities));
    expect(text).toContain('SOTTO-AGE-001');
    expect(text).toContain(pair.recipient);
    expect(text).toContain(other.recipient);
    expect(await refusalText(() => check(GOOD, []))).toContain('no identity is held');
  });

  it('opens when the name of its recipient is wrong, for nothing vouches for it', async () => {
    await check(GOOD.replaceAll(pair.recipient, other.recipient));
  });

  it('with any line changed ends in a code, and never in a value', async () => {
    const lines = GOOD.split('\n');
    await fc.assert(
      fc.asyncProperty(fc.nat(lines.length - 1), fc.string({ maxLength: 30 }), async (at, line) => {
        const text = lines.with(at, line).join('\n');
        try {
          await check(text);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SottoError);
          if (thrown instanceof SottoError) expect(thrown.text()).not.toMatch(/hunter|admin/);
        }
      }),
      { numRuns: 300 },
    );
  });
});

async function refusalText(attempt: () => Promise<void>): Promise<string> {
  try {
    await attempt();
    return 'none';
  } catch (thrown) {
    if (thrown instanceof SottoError) return thrown.text();
    throw thrown;
  }
}

describe('a text looks encrypted', () => {
  it.each([
    [GOOD, true],
    ['{"a": 1, "sops": {"mac": "ENC[AES256_GCM,data:"}}', true],
    ['{\n\t"sops": {}\n}', true],
    ['  a: 1\n  sops: {}\n', true],
    ['a: 1\n---\nb: 1\nsops: {}\n', true],
    ['"sops": {}\n', true],
    ['a: {sops: {}}\n', false],
    ['data:\n  x.yaml: |\n    sops:\n      mac: ENC[AES256_GCM,data:x]\n', false],
    ['a: sops: b\n', false],
    ['# sops: {}\n', false],
    ['a: ENC[AES256_GCM,data:x]\n', false],
    ['sops-age: 1\n', false],
  ])('%j: %s', (text, expected) => {
    expect(looksEncrypted(text)).toBe(expected);
  });
});
