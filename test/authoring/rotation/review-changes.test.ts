import { beforeAll, describe, expect, it } from 'vitest';
import { documentsOf } from '../../../src/authoring/rotation/documents.ts';
import { reviewRotation } from '../../../src/authoring/rotation/review.ts';
import { Sensitive } from '../../../src/core/sensitive.ts';
import { type SealingCertificate, sealingCertificate } from '../../../src/sealed/certificate.ts';
import { makeSealingCertificate } from '../../../src/sealed/make-certificate.ts';
import { sealLabel } from '../../../src/sealed/scope.ts';
import { sealValue } from '../../../src/sealed/seal.ts';
import { encryptFile } from '../../../src/sops/encrypt-file.ts';
import { makeIdentity } from '../../../src/sops/make-identity.ts';
import type { Selector } from '../../../src/sops/selector.ts';

const NOW = new Date('2027-01-31T12:00:00Z');
const [OLD, MADE, MALLORY] = [1, 2, 3].map(() => makeIdentity(NOW).identity.recipient) as [string, string, string];
const DEFAULT: Selector = { kind: 'unencrypted_suffix', value: '_unencrypted' };

/** A file of one value. */
function encrypted(recipients: readonly string[], selector = DEFAULT, clear = 'A=b\n'): Promise<string> {
  return encryptFile(Buffer.from(clear), { format: 'dotenv', file: 'a.env', recipients, selector, now: NOW });
}

const only = (finding: RegExp) => [expect.stringMatching(finding)] as string[];

/** No rule for the file. */
const elsewhere = (name: string): string => `creation_rules:\n- {path_regex: ^b, age: ${name}}\n`;

const rules = (...names: readonly string[]): string => `creation_rules:\n- age: ${names.join(',')}\n`;

/** What is found of the one file that differs, or of all that do. */
function found(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
  isSameMode = true,
): string[] {
  const [then, now] = [before, after].map((files) =>
    documentsOf(new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)])), '/'),
  );
  if (then === undefined || now === undefined) throw new Error('there are two');
  const changed = Object.keys(after).filter((path) => before[path] !== after[path]);
  return reviewRotation(
    then,
    now,
    changed.map((path) => ({ path, isSameMode })),
  ).findings.map(({ file, finding }) => `${file} ${finding}`);
}

describe('a file that a rotation has changed', () => {
  let before: Readonly<Record<string, string>>;
  let after: Readonly<Record<string, string>>;
  beforeAll(async () => {
    before = { 'a.env': await encrypted([OLD]), '.sops.yaml': rules(OLD) };
    after = { 'a.env': await encrypted([MADE]), '.sops.yaml': rules(MADE) };
  });

  it('has other keys and other ciphertext, as its rule has', () => {
    expect(found(before, after)).toEqual([]);
  });

  it('has a new data key: ciphertext of before is found', () => {
    const kept = (before['a.env'] ?? '').replaceAll(OLD, MADE);
    expect(found(before, { ...after, 'a.env': kept })).toEqual(only(/^a\.env .*its data key is not new/));
  });

  it('has the same text, and values of the same length', async () => {
    for (const clear of ['# more\nA=b\n', 'A=bc\n', 'B=b\n'])
      expect(found(before, { ...after, 'a.env': await encrypted([MADE], DEFAULT, clear) })).toEqual(
        only(/^a\.env differs in more than ciphertext/),
      );
  });

  it('is encrypted by the same selection: another one leaves the next value in clear', async () => {
    const other: Selector = { kind: 'encrypted_regex', value: '^A$' };
    expect(found(before, { ...after, 'a.env': await encrypted([MADE], other) })).toEqual(
      only(/^a\.env selects other values/),
    );
  });

  it('is for whom its rule names, and there is one', async () => {
    const planted = await encrypted([MADE, MALLORY]);
    expect(found(before, { ...after, 'a.env': planted })).toEqual(
      only(new RegExp(`^a\\.env is encrypted for ${MALLORY}, which rule 1 does not name`)),
    );
    expect(found({ ...before, '.sops.yaml': elsewhere(OLD) }, { ...after, '.sops.yaml': elsewhere(MADE) })).toEqual(
      only(/^a\.env is named by no rule/),
    );
  });

  it('keeps its mode', () => {
    expect(found({ ...before, '.sops.yaml': rules(MADE) }, after, false)).toEqual(only(/^a\.env has another mode/));
  });

  it('is .sops.yaml with one name in the place of another, and nothing else', () => {
    expect(found(before, { ...after, '.sops.yaml': `${rules(MADE)}# more\n` })).toEqual(
      only(/^\.sops\.yaml differs in more than that recipient/),
    );
    expect(found(before, { ...before, '.sops.yaml': rules(OLD, MALLORY) })).toEqual(
      only(/^\.sops\.yaml does not put one recipient in the place of another/),
    );
  });
});

const manifest = (password: string, user: string, name = 'db'): Readonly<Record<string, string>> => ({
  'db.yaml': `apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: ${name}, namespace: team}\nspec:\n  encryptedData:\n    password: ${password}\n    user: ${user}\n`,
});

const repositoryFor = async (...names: readonly string[]) => ({
  'a.env': await encrypted(names),
  '.sops.yaml': rules(...names),
});

describe('a recipient that stood beside the old one before', () => {
  it('is there alone afterwards, in the file and in its rule', async () => {
    expect(found(await repositoryFor(OLD, MADE), await repositoryFor(MADE))).toEqual([]);
  });

  it('is no cover for another change of the rule', async () => {
    const after = { ...(await repositoryFor(MADE)), '.sops.yaml': `${rules(MADE)}# more\n` };
    expect(found(await repositoryFor(OLD, MADE), after)).toEqual(
      only(/^\.sops\.yaml differs in more than that recipient/),
    );
  });
});

describe('a SealedSecret that was sealed anew', () => {
  let certificate: SealingCertificate;
  beforeAll(async () => {
    const { certificatePem } = await makeSealingCertificate({ now: NOW, modulusBits: 2048 });
    certificate = sealingCertificate(certificatePem, NOW);
  });

  const item = (value: string): string => {
    using bytes = Sensitive.copyOf(Buffer.from(value));
    return sealValue(bytes, certificate, sealLabel({ scope: 'strict', namespace: 'team', name: 'db' }));
  };
  it('has each item anew, of the same length, and no other text', () => {
    const user = item('admin');
    const before = manifest(item('hush'), user);
    expect(found(before, manifest(item('hush'), item('admin')))).toEqual([]);
    expect(found(before, manifest(item('hush'), user))).toEqual([
      expect.stringContaining('db.yaml has an item that is sealed as before'),
    ]);
    for (const other of [manifest(item('hush'), item('admin'), 'dc'), manifest(item('hush!'), item('admin'))])
      expect(found(before, other)).toEqual([expect.stringContaining('db.yaml differs in more than ciphertext')]);
  });
});
