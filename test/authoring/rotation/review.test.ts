import { expect, it } from 'vitest';
import { documentsOf, type EncryptedDocuments } from '../../../src/authoring/rotation/documents.ts';
import { reviewRotation, type RotationReview } from '../../../src/authoring/rotation/review.ts';
import { encryptFile } from '../../../src/sops/encrypt-file.ts';
import { makeIdentity } from '../../../src/sops/make-identity.ts';

const NOW = new Date('2027-01-31T12:00:00Z');
const recipientOf = (): string => makeIdentity(NOW).identity.recipient;
const [old, made, kim, mallory] = [recipientOf(), recipientOf(), recipientOf(), recipientOf()];

type Repository = Readonly<Record<string, readonly string[]>>;

async function documents(files: Repository, rule?: string): Promise<EncryptedDocuments> {
  const contents = new Map<string, Uint8Array>();
  for (const [name, recipients] of Object.entries(files)) {
    const options = { format: 'dotenv', file: name, recipients, now: NOW } as const;
    contents.set(name, Buffer.from(await encryptFile(Buffer.from('A=b\n'), options)));
  }
  // In a folder beside the files: it vouches for none of them.
  if (rule !== undefined) contents.set('x/.sops.yaml', Buffer.from(`creation_rules:\n- age: ${rule}\n`));
  return documentsOf(contents, '/');
}

async function reviewed(
  before: Repository,
  after: Repository,
  rules?: readonly [string, string],
): Promise<RotationReview> {
  const paths = [...Object.keys(after), ...(rules === undefined ? [] : ['x/.sops.yaml'])];
  return reviewRotation(
    await documents(before, rules?.[0]),
    await documents(after, rules?.[1]),
    paths.map((path) => ({ path, isSameMode: true })),
  );
}

it('takes one recipient in the place of another, and one that was there already', async () => {
  const before = { 'a.env': [old, kim], 'b.env': [old], 'c.env': [old, made], 'd.env': [kim] };
  const after = { 'a.env': [made, kim], 'b.env': [made], 'c.env': [made], 'd.env': [kim] };
  const { receipts, findings } = await reviewed(before, after, [old, made]);
  expect(findings).toEqual([]);
  expect(receipts).toHaveLength(5);
});

it('finds who came besides, who came for nobody, and who came for another than elsewhere', async () => {
  const before = { 'a.env': [old], 'b.env': [old], 'c.env': [old], 'd.env': [old, kim], 'e.env': [old, kim] };
  const after = {
    'a.env': [mallory],
    'b.env': [made, mallory],
    'c.env': [old, mallory],
    'd.env': [made],
    'e.env': [made, kim],
  };
  const { receipts, findings } = await reviewed(before, after, [old, made]);
  expect(receipts.map(({ file }) => file)).toEqual(['e.env', 'x/.sops.yaml']);
  const not = 'does not put one recipient in the place of another';
  expect(findings).toEqual([
    {
      file: 'a.env',
      finding: `came ${mallory} in the place of ${old}, and elsewhere in this commit it is ${made} in the place of ${old}`,
    },
    { file: 'b.env', finding: `${not}: came ${made}, ${mallory}; went ${old}` },
    { file: 'c.env', finding: `${not}: came ${mallory}; went nobody` },
    { file: 'd.env', finding: `${not}: came ${made}; went ${old}, ${kim}` },
  ]);
});

it('goes by the first file where no rule changes', async () => {
  const { findings } = await reviewed({ 'a.env': [old], 'b.env': [old] }, { 'a.env': [made], 'b.env': [mallory] });
  expect(findings.map(({ file }) => file)).toEqual(['b.env']);
});

function sealed(fill: number): string {
  return Buffer.concat([Buffer.from([1, 0]), Buffer.alloc(300, fill)]).toString('base64');
}

function fileWith(item: string): EncryptedDocuments {
  const head = 'apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: a, namespace: app}\n';
  return documentsOf(new Map([['a.yaml', Buffer.from(`${head}spec:\n  encryptedData:\n    p: ${item}\n`)]]), '/');
}

it('takes an item of a SealedSecret whose text has broken lines, as a block, for what it is', () => {
  const lines = sealed(1).replaceAll(/.{100}/g, '$&\n      ');
  const changed = [{ path: 'a.yaml', isSameMode: true }];
  for (const item of [sealed(2), `|\n      ${sealed(2).replaceAll(/.{100}/g, '$&\n      ')}`])
    expect(reviewRotation(fileWith(`|\n      ${lines}`), fileWith(item), changed)).toMatchObject({
      receipts: [{ file: 'a.yaml', values: 1 }],
      findings: [],
    });
});
