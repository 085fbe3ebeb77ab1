import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isolatedGitEnv } from '../../src/demo/git-repository.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { encryptForRecipients } from '../../src/sops/recipients.ts';
import { passphraseRecipient } from '../../src/sops/age-scrypt.ts';
import { type CliResult, sotto } from './session.ts';

const root = mkdtempSync(join(tmpdir(), 'sotto-rehearse-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const NOW = new Date('2026-11-29T12:00:00Z');
const made = (): { recipient: string; text: string } => {
  const { identity, keyFile } = makeIdentity(NOW);
  return { recipient: identity.recipient, text: Buffer.from(keyFile.reveal()).toString() };
};
const recovery = made();
const cluster = made();
const retired = made();

const doc = (file: string, ...recipients: readonly string[]): Promise<string> =>
  encryptFile(Buffer.from('a: hush-hush\n'), { format: 'yaml', file, recipients, now: NOW });
const keySecret = (name: string, text: string, annotations: Readonly<Record<string, string>> = {}) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, annotations },
  data: { 'age.agekey': Buffer.from(text).toString('base64') },
});
const listOf = (...items: readonly unknown[]): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });

let count = 0;
async function rehearse(
  files: Readonly<Record<string, string>>,
  flags: readonly string[] = ['--key-file', join(root, 'recovery.txt')],
  around: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  const folder = join(root, `repository-${(count += 1)}`);
  mkdirSync(folder);
  const env = isolatedGitEnv(folder, process.env['PATH'] ?? '');
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  writeFileSync(join(root, 'recovery.txt'), recovery.text, { mode: 0o600 });
  for (const args of [
    ['init', '-q', '-b', 'main'],
    ['add', '-A'],
    ['commit', '-q', '-m', 'all'],
  ])
    execFileSync('git', ['-C', folder, ...args], { env });
  const defined = Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  const result = await sotto(['keys', 'rehearse', '--offline', ...flags], {
    cwd: folder,
    env: { ...defined, ...around },
  });
  expect(result.stdout + result.stderr).not.toMatch(/hush-hush|AGE-SECRET/);
  return result;
}

describe('a rehearsal without a cluster', () => {
  it('opens with the recovery identity, and with keys whose copies in the repository are for it', async () => {
    const { recipient } = cluster;
    const copy = await encryptForRecipients(Buffer.from(JSON.stringify(keySecret('sotto-age-1', cluster.text))), [
      recovery.recipient,
    ]);
    const saved = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'sotto-recovery' },
      data: { 'sotto-age-1.age': copy },
    };
    const own = await encryptForRecipients(Buffer.from(cluster.text), [recovery.recipient]);
    const backup = await encryptForRecipients(Buffer.from(listOf(keySecret('sops-age', cluster.text))), [
      recovery.recipient,
    ]);
    const documents = { 'a.yaml': await doc('a.yaml', recovery.recipient), 'b/b.yaml': await doc('b.yaml', recipient) };
    const forms: readonly (readonly [string, string, string])[] = [
      ['recovery.json', JSON.stringify(saved), 'recovery.json Secret/sotto-age-1'],
      ['new.txt.recovery.age', own, 'new.txt.recovery.age'],
      ['keys.age', backup, 'keys.age Secret/sops-age'],
    ];
    for (const [name, content, label] of forms) {
      const { exit, stdout, stderr } = await rehearse({ ...documents, [name]: content });
      expect({ exit, stderr }).toEqual({
        exit: 0,
        stderr: expect.stringContaining('all 2 encrypted files open') as string,
      });
      expect(stdout).toContain(`  ${label}\n`);
    }
    const without = await rehearse(documents);
    expect(without).toMatchObject({ exit: 4, stderr: expect.stringContaining('1 of 2 encrypted files') as string });
    expect(without.stdout).toContain(`next: sotto keys backup --recipient ${recovery.recipient} --out keys.age`);
  });

  it('does not count a key that would be retired again, nor a backup for somebody else', async () => {
    const mark = { 'sotto.dev/state': 'retired' };
    const backup = await encryptForRecipients(Buffer.from(listOf(keySecret('old', retired.text, mark))), [
      recovery.recipient,
    ]);
    const foreign = await encryptForRecipients(Buffer.from(listOf(keySecret('old', retired.text))), [made().recipient]);
    const { exit, stderr } = await rehearse({
      'a.yaml': await doc('a.yaml', retired.recipient),
      'keys.age': backup,
      'foreign.age': foreign,
    });
    expect(exit).toBe(4);
    expect(stderr).toContain('note: keys.age Secret/old is retired, and opens nothing\n');
    expect(stderr).toContain('note: foreign.age is an age file that the recovery identity does not open\n');
  });

  it('needs no identity that lies on this machine, and takes none', async () => {
    writeFileSync(join(root, 'machine.txt'), cluster.text);
    const found = await rehearse({ 'a.yaml': await doc('a.yaml', cluster.recipient) }, undefined, {
      SOPS_AGE_KEY_FILE: join(root, 'machine.txt'),
      SOPS_AGE_KEY: cluster.text,
    });
    expect(found.exit).toBe(4);
    const none = await rehearse({ 'a.yaml': await doc('a.yaml', cluster.recipient) }, []);
    expect(none).toMatchObject({ exit: 2, stderr: expect.stringContaining('nothing to open with') as string });
  });

  it('asks for the passphrase of a recovery identity, and says so where nobody can be asked', async () => {
    const locked = await encryptForRecipients(Buffer.from(recovery.text), [passphraseRecipient(Buffer.from('pass'))]);
    writeFileSync(join(root, 'locked.age'), locked);
    const asked = await rehearse({ 'a.yaml': await doc('a.yaml', recovery.recipient) }, [
      '--key-file',
      join(root, 'locked.age'),
    ]);
    expect(asked).toMatchObject({ exit: 4, stderr: expect.stringContaining('SOTTO-KEYS-041') as string });
  });

  it('tells a document that was changed from one that no key opens', async () => {
    const text = await doc('a.yaml', recovery.recipient);
    const { exit, stdout } = await rehearse({ 'a.yaml': text.replace(/^sops:/m, 'b: planted\nsops:') });
    expect(exit).toBe(4);
    expect(stdout).toMatch(/^a\.yaml +SOTTO-SOPS-00\d$/m);
    expect(stdout).not.toContain('keys backup');
  });
});
