import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { servicesAtHand } from '../../../src/cli/key-services.ts';
import { documentsOf } from '../../../src/authoring/rotation/documents.ts';
import { planRotation } from '../../../src/authoring/rotation/plan.ts';
import { prepareRotation } from '../../../src/authoring/rotation/prepare.ts';
import { RECEIPT_FILE, signReceipt } from '../../../src/authoring/rotation/receipt.ts';
import { type PreparedRotation, receiptFor } from '../../../src/authoring/rotation/receipt-for.ts';
import { reviewRotation, type RotationReceipt } from '../../../src/authoring/rotation/review.ts';
import { openingKeys } from '../../../src/authoring/rotation/rows.ts';
import { type ReceiptVerdict, verifyReceipt } from '../../../src/authoring/rotation/verify-receipt.ts';
import { LIMITS } from '../../../src/core/limits.ts';
import { Sensitive } from '../../../src/core/sensitive.ts';
import { blobIdOf } from '../../../src/git/blob-id.ts';
import { fingerprintKey } from '../../../src/keys/fingerprint.ts';
import { receiptSigner } from '../../../src/keys/receipt-key.ts';
import { encryptFile } from '../../../src/sops/encrypt-file.ts';
import { makeIdentity } from '../../../src/sops/make-identity.ts';
import { errorOf } from '../../sealed/material.ts';

const signer = receiptSigner(fingerprintKey(Sensitive.copyOf(Buffer.alloc(32, 7))));
const PARENT = 'a'.repeat(40);
const [old, made, other] = [1, 2, 3].map(() => makeIdentity(new Date()).identity);
if (old === undefined || made === undefined || other === undefined) throw new Error('there are three');

let rotation: PreparedRotation;
let contents: Map<string, Buffer>;

beforeAll(async () => {
  const seal = async (format: 'yaml' | 'dotenv', file: string, text: string) =>
    Buffer.from(await encryptFile(Buffer.from(text), { format, file, recipients: [old.recipient], now: new Date() }));
  contents = new Map([
    ['.sops.yaml', Buffer.from(`creation_rules:\n- age: ${old.recipient}\n`)],
    ['a/db.yaml', await seal('yaml', 'db.yaml', '# why\nuser: admin\npassword: hush\n')],
    ['b.env', await seal('dotenv', 'b.env', 'USER=admin\n')],
    ['plain.yaml', Buffer.from('plain: true\n')],
  ]);
  const before = documentsOf(contents, '/r');
  const services = servicesAtHand({ cwd: '/r', env: {} });
  const keys = {
    identities: [old, made],
    unsealKeys: [],
    pgpKeys: [],
    services,
    certificate: undefined,
    namespace: 'team',
  };
  const plan = planRotation(before, { age: { old: old.recipient, made: made.recipient }, seals: false });
  const files = await prepareRotation(plan, keys, new Date());
  const openedBy = await openingKeys(before, new Set(files.keys()), keys);
  const names = { old: [old.recipient], made: [made.recipient] };
  rotation = { parent: PARENT, at: new Date(), namespace: 'team-app', keys: names, before, files, openedBy };
});

/** As git has it. */
function id(content: Uint8Array | undefined): string {
  return content === undefined ? '0'.repeat(40) : blobIdOf(content);
}

/** What `sotto check --rotation` makes of a receipt, of two sets of files and of their parent. */
function verdictOn(
  receipt: Uint8Array,
  before: ReadonlyMap<string, Uint8Array> = contents,
  after: ReadonlyMap<string, Uint8Array> = new Map([...contents, ...rotation.files]),
  parent = PARENT,
): ReceiptVerdict {
  const changed = [...new Set([...before.keys(), ...after.keys()])]
    .map((path) => ({
      path,
      isSameMode: before.has(path) && after.has(path),
      before: id(before.get(path)),
      after: id(after.get(path)),
    }))
    .filter((each) => each.before !== each.after);
  const olds = documentsOf(before, '/r');
  const { receipts } = reviewRotation(olds, documentsOf(after, '/r'), changed);
  return verifyReceipt(receipt, signer.name, { parent, changed, reviewed: receipts, before: olds });
}

const codesOf = ({ findings }: ReceiptVerdict): string[] =>
  findings.map(({ file, code }) => `${file} ${code.slice(-3)}`);

describe('the receipt of a rotation', () => {
  it('is one for what was prepared, with who opened each file and how many values it has', async () => {
    const { signed, findings } = verdictOn(await receiptFor(rotation, signer));
    expect(findings).toEqual([]);
    expect(signed?.receipt).toMatchObject({
      parent: PARENT,
      keys: { old: [old.recipient], made: [made.recipient] },
      files: [
        { path: '.sops.yaml', kind: 'rules', added: [made.recipient], removed: [old.recipient] },
        { path: 'a/db.yaml', kind: 'SOPS', openedBy: [old.recipient], values: 3 },
        { path: 'b.env', kind: 'SOPS', openedBy: [old.recipient], values: 1 },
      ],
    });
  });

  it('is not one with any byte of a file changed, before or after', async () => {
    const receipt = await receiptFor(rotation, signer);
    fc.assert(
      fc.property(
        fc.constantFrom(...contents.keys()),
        fc.boolean(),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (path, isBefore, where, by) => {
          const sides = [
            new Map<string, Uint8Array>(contents),
            new Map<string, Uint8Array>([...contents, ...rotation.files]),
          ];
          const side = sides[isBefore ? 0 : 1];
          const content = Buffer.from(side?.get(path) ?? []);
          const at = where % content.length;
          content[at] = (content[at] ?? 0) ^ by;
          side?.set(path, content);
          // Rules that cannot be read end the check itself.
          const verdict = attempt(() => verdictOn(receipt, sides[0], sides[1]));
          if (verdict !== undefined) expect(codesOf(verdict)).toContain(`${path} 043`);
          else expect(path).toBe('.sops.yaml');
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is not one with a file more or less than it names', async () => {
    const receipt = await receiptFor(rotation, signer);
    const after = new Map([...contents, ...rotation.files]);
    expect(codesOf(verdictOn(receipt, contents, new Map([...after, ['new.yaml', Buffer.from('a: b\n')]])))).toEqual([
      'new.yaml 043',
    ]);
    const without = (path: string) => new Map([...after].filter(([name]) => name !== path));
    expect(codesOf(verdictOn(receipt, contents, without('b.env')))).toEqual(['b.env 043']);
    expect(codesOf(verdictOn(receipt, contents, without('plain.yaml')))).toEqual(['plain.yaml 043']);
    const asBefore = new Map([...after, ['b.env', contents.get('b.env') ?? Buffer.of()]]);
    expect(verdictOn(receipt, contents, asBefore).findings).toEqual([
      {
        file: 'b.env',
        code: 'SOTTO-ROTATE-043',
        finding: 'has an entry in the receipt, and the commit does not change it',
      },
    ]);
  });

  it('is not one on another parent, and says whether the files are those of the receipt', async () => {
    const receipt = await receiptFor(rotation, signer);
    const moved = verdictOn(receipt, undefined, undefined, 'b'.repeat(40));
    expect(moved.findings).toEqual([
      {
        file: RECEIPT_FILE,
        code: 'SOTTO-ROTATE-044',
        finding: expect.stringContaining('rebased or cherry-picked') as string,
      },
    ]);
    const elsewhere = verdictOn(receipt, contents, contents, 'b'.repeat(40));
    expect(codesOf(elsewhere)).toEqual([`${RECEIPT_FILE} 044`, '.sops.yaml 043', 'a/db.yaml 043', 'b.env 043']);
    expect(elsewhere.findings[0]?.finding).toContain('belongs to another commit');
  });

  it('must not say that a key opened a file that was not for it', async () => {
    const openedBy = new Map([...rotation.openedBy, ['b.env', [other.recipient]]]);
    expect(codesOf(verdictOn(await receiptFor({ ...rotation, openedBy }, signer)))).toEqual(['b.env 043']);
  });

  it('must not say of a file that somebody else came or went, or that it has other values', async () => {
    const receipt = verdictOn(await receiptFor(rotation, signer)).signed?.receipt;
    if (receipt === undefined) throw new Error('it is one');
    const saying = (lie: Partial<Pick<RotationReceipt, 'added' | 'removed' | 'values'>>): string[] => {
      const files = receipt.files.map((entry) =>
        entry.path === 'b.env' && entry.kind !== 'rules' ? { ...entry, ...lie } : entry,
      );
      return codesOf(verdictOn(signReceipt({ ...receipt, files }, signer)));
    };
    expect(saying({})).toEqual([]);
    for (const lie of [{ added: [other.recipient] }, { removed: [] }, { values: 2 }])
      expect(saying(lie)).toEqual(['b.env 043']);
  });

  it('is by the key that is pinned, and by no other', async () => {
    const stranger = receiptSigner(fingerprintKey(Sensitive.copyOf(Buffer.alloc(32, 8))));
    expect(codesOf(verdictOn(await receiptFor(rotation, stranger)))).toEqual([`${RECEIPT_FILE} 042`]);
  });

  it('is not signed for what its own check would not take', async () => {
    const refused = async (files: readonly (readonly [string, Uint8Array])[], more: Partial<PreparedRotation> = {}) =>
      errorOf(() => receiptFor({ ...rotation, files: new Map([...rotation.files, ...files]), ...more }, signer));
    const commented = Buffer.concat([rotation.files.get('b.env') ?? Buffer.of(), Buffer.from('# more\n')]);
    const cases = [
      await refused([['b.env', commented]]),
      await refused([['b.env', contents.get('b.env') ?? Buffer.of()]]),
      await refused([['plain.yaml', Buffer.from('plain: false\n')]]),
      await refused([['new.yaml', Buffer.from('a: b\n')]]),
      await refused([], { openedBy: new Map() }),
      await refused([], { keys: { old: ['x'.repeat(LIMITS.maxReceiptBytes)], made: [] } }),
    ];
    expect(cases.map(({ code, place }) => [code, place.file])).toEqual([
      ['SOTTO-ROTATE-046', 'b.env'],
      ['SOTTO-ROTATE-046', 'b.env'],
      ['SOTTO-ROTATE-046', 'plain.yaml'],
      ['SOTTO-ROTATE-046', 'new.yaml'],
      ['SOTTO-ROTATE-046', 'a/db.yaml'],
      ['SOTTO-ROTATE-046', RECEIPT_FILE],
    ]);
  });

  it('is itself no encrypted file, whatever it holds', () => {
    const hostile = Buffer.from('{"sops": {"mac": "x"}, "kind": "SealedSecret", "apiVersion": "bitnami.com/v1alpha1"}');
    expect(documentsOf(new Map([[RECEIPT_FILE, hostile]]), '/r')).toEqual({
      policies: [],
      sops: [],
      sealed: [],
      unread: [],
    });
  });
});

function attempt<Result>(call: () => Result): Result | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}
