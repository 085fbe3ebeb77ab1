import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readReceipt } from '../../../src/authoring/rotation/read-receipt.ts';
import {
  type Receipt,
  RECEIPT_SCHEMA,
  type ReceiptEntry,
  signReceipt,
} from '../../../src/authoring/rotation/receipt.ts';
import { LIMITS } from '../../../src/core/limits.ts';
import { Sensitive } from '../../../src/core/sensitive.ts';
import { fingerprintKey } from '../../../src/keys/fingerprint.ts';
import { receiptSigner } from '../../../src/keys/receipt-key.ts';

const signer = receiptSigner(fingerprintKey(Sensitive.copyOf(Buffer.alloc(32, 7))));

const id = fc.stringMatching(/^[0-9a-f]{40}$/);
const word = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter((text) => text.isWellFormed());
const words = fc.array(word, { maxLength: 3 });
const file = { path: word, before: id, after: id, added: words, removed: words };
const entry: fc.Arbitrary<ReceiptEntry> = fc.oneof(
  fc.record({
    ...file,
    kind: fc.constantFrom('SOPS' as const, 'SealedSecret' as const),
    openedBy: words,
    values: fc.nat(),
  }),
  fc.record({ ...file, kind: fc.constant('rules' as const) }),
);
const receipt: fc.Arbitrary<Receipt> = fc.record({
  parent: id,
  at: fc
    .date({ min: new Date('2020-01-01'), max: new Date('2999-01-01'), noInvalidDate: true })
    .map((date) => `${date.toISOString().slice(0, 19)}Z`),
  namespace: fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?$/),
  keys: fc.record({ old: words, made: words }),
  files: fc
    .uniqueArray(entry, { maxLength: 5, selector: ({ path }) => path })
    .map((files) => files.toSorted((a, b) => (a.path < b.path ? -1 : 1))),
});

const EXAMPLE: Receipt = {
  parent: 'a'.repeat(40),
  at: '2026-11-29T10:00:00Z',
  namespace: 'team-app',
  keys: { old: ['age1old'], made: ['age1new'] },
  files: [
    {
      path: '.sops.yaml',
      kind: 'rules',
      before: '1'.repeat(40),
      after: '2'.repeat(40),
      added: ['age1new'],
      removed: ['age1old'],
    },
    {
      path: 'deploy/db.yaml',
      kind: 'SOPS',
      before: '3'.repeat(40),
      after: '4'.repeat(40),
      added: ['age1new'],
      removed: ['age1old'],
      openedBy: ['age1old'],
      values: 3,
    },
  ],
};

describe('a receipt', () => {
  it('is read as it was signed', () => {
    fc.assert(
      fc.property(receipt, (made) => {
        expect(readReceipt(signReceipt(made, signer))).toEqual({ receipt: made, key: signer.name, isGenuine: true });
      }),
    );
  });

  it('is JSON with a line for each file, which says what is always so too', () => {
    const text = signReceipt(EXAMPLE, signer).toString();
    expect(JSON.parse(text)).toMatchObject({
      schema: RECEIPT_SCHEMA,
      agent: { namespace: 'team-app' },
      files: [{ kind: 'rules' }, { path: 'deploy/db.yaml', reencrypted: true, equal: true, values: 3 }],
      signature: { key: signer.name },
    });
    expect(text.split('\n').filter((line) => line.startsWith('{"path"'))).toHaveLength(2);
    expect(text.endsWith('\n')).toBe(true);
  });

  it('is none, or is not genuine, with any byte changed, left out or put in', () => {
    fc.assert(
      fc.property(receipt, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat(2), (made, where, by, how) => {
        const content = signReceipt(made, signer);
        const at = where % content.length;
        const changed = [
          Buffer.concat([content.subarray(0, at), Buffer.of((content[at] ?? 0) ^ by), content.subarray(at + 1)]),
          Buffer.concat([content.subarray(0, at), content.subarray(at + 1)]),
          Buffer.concat([content.subarray(0, at), Buffer.of(by), content.subarray(at)]),
        ][how];
        const read = readReceipt(changed ?? content);
        expect(typeof read === 'string' || !read.isGenuine).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('is not genuine with two entries in each other’s place', () => {
    const [rules, db] = EXAMPLE.files;
    if (rules === undefined || db === undefined) throw new Error('the example has two files');
    const text = signReceipt(EXAMPLE, signer).toString();
    const [one, other] = text.split('\n').filter((line) => line.startsWith('{"path"'));
    const swapped = text.replace(`${one}\n${other}`, `${other},\n${one?.slice(0, -1)}`);
    expect(JSON.parse(swapped)).toMatchObject({ files: [{ path: 'deploy/db.yaml' }, { path: '.sops.yaml' }] });
    expect(readReceipt(Buffer.from(swapped))).toBe('its files are not in order, each once');
    const contents = [
      { ...rules, before: db.before, after: db.after },
      { ...db, before: rules.before, after: rules.after },
    ];
    const [signature] = text.match(/"signature".*\n}\n/s) ?? [];
    const moved = signReceipt({ ...EXAMPLE, files: contents }, signer).toString();
    expect(readReceipt(Buffer.from(moved.replace(/"signature".*\n}\n/s, () => signature ?? '')))).toMatchObject({
      isGenuine: false,
    });
  });
});

describe('what a hostile repository has in its place', () => {
  const good = signReceipt(EXAMPLE, signer).toString();
  const hostile: Readonly<Record<string, string | Uint8Array>> = {
    'no JSON': 'receipt: true\n',
    'nothing at all': '',
    'JSON of another kind': '[null]',
    'a member twice': good.replace('"parent"', `"parent": "${'b'.repeat(40)}",\n"parent"`),
    'the prototype of everything': good.replace('"parent"', '"__proto__": {"isGenuine": true},\n"parent"'),
    'a prototype instead of a member': good.replace('"keys": ', '"__proto__": '),
    'a member that nobody knows': good.replace('"parent"', '"more": 1,\n"parent"'),
    'other blanks': good.replaceAll('": ', '":'),
    'other line ends': good.replaceAll('\n', '\r\n'),
    'another escape': good.replace('deploy', String.raw`d\u0065ploy`),
    'a byte order mark': `\uFEFF${good}`,
    'bytes that are no text': Buffer.concat([Buffer.from(good), Buffer.of(0xff)]),
    'half a character': good.replace('deploy', String.raw`\ud800`),
    'a number for a text': good.replace('"team-app"', '7'),
    'a namespace that is none': good.replace('team-app', 'team app; rm'),
    'a time that is none': good.replace('2026-11-29T10:00:00Z', 'yesterday'),
    'a fraction of a value': good.replace('"values":3', '"values":3.5'),
    'fewer values than none': good.replace('"values":3', '"values":-3'),
    'a key of another kind': good.replace('ed25519:', 'rsa:'),
    'base64 with more behind it': good.replace(/"value":"[^"]*/, (value) => `${value}=`),
    'deep nesting': '['.repeat(4_000_000),
    'deep nesting in an object': `{"schema":${'{"a":'.repeat(500_000)}`,
    'strings that do not end': `"${String.raw`\"`.repeat(2_000_000)}`,
    'a file as large as no receipt': ' '.repeat(LIMITS.maxReceiptBytes + 1),
  };
  it.each(Object.entries(hostile))('is no receipt: %s', (_, content) => {
    expect(readReceipt(Buffer.from(content))).toBeTypeOf('string');
  });

  it('is told to be too large before it is looked at', () => {
    expect(readReceipt(Buffer.alloc(LIMITS.maxReceiptBytes + 1))).toMatch(/more than 8388608 bytes/);
    expect(({} as { isGenuine?: boolean }).isGenuine).toBeUndefined();
  });

  it('is no receipt whatever bytes it has', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 400 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (content) => {
          expect(readReceipt(content)).toBeTypeOf('string');
        },
      ),
    );
  });
});
