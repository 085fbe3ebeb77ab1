import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { filesNeeding, type HeadDocuments } from '../../src/cli/keys/needs.ts';
import { oldRecipient } from '../../src/cli/rotate/goal.ts';
import { changedGenerations, revisionState } from '../../src/cli/rotate/settle.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { withoutBlock } from '../../src/sops/replace-block.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';

const COMMIT = 'a'.repeat(40);

const sync = (name: string, read: string, applied: string, state: string) => ({
  name,
  state,
  message: 'm',
  source: { revision: `main@sha1:${read}` },
  appliedRevision: `main@sha1:${applied}`,
});

const headOf = async (...recipients: readonly (string | undefined)[]): Promise<HeadDocuments> => {
  const names = recipients.flatMap((name) => name ?? []);
  const options = { format: 'yaml' as const, file: 'a.yaml', recipients: names, now: new Date() };
  const text = await encryptFile(Buffer.from('a: b\n'), options);
  const file = {
    path: '/a.yaml',
    below: 'a.yaml',
    name: 'a.yaml',
    format: 'yaml' as const,
    text,
    bytes: new Uint8Array(),
  };
  const commit = COMMIT as HeadDocuments['commit'];
  const documents = { policies: [], sops: [{ file, policy: undefined }], sealed: [], unread: [] };
  return { commit, branches: ['main'], documents };
};
describe('a rotated revision', () => {
  it('counts as applied when every sync that has read it is ready with it, and one has', () => {
    const other = 'b'.repeat(40);
    const isIt = (revision: string): boolean => revision === COMMIT;
    expect(revisionState({ syncs: [] }, isIt)).toBe('no sync has read it yet');
    expect(revisionState({ syncs: [sync('a', other, other, 'Ready')] }, isIt)).toBe('no sync has read it yet');
    expect(revisionState({ syncs: [sync('a', COMMIT, other, 'Ready')] }, isIt)).toBe('a is Ready: m');
    expect(revisionState({ syncs: [sync('a', COMMIT, COMMIT, 'Degraded')] }, isIt)).toBe('a is Degraded: m');
    const one = sync('a', COMMIT, COMMIT, 'Ready');
    expect(revisionState({ syncs: [one, sync('b', COMMIT, COMMIT, 'Stalled')] }, isIt)).toBe('b is Stalled: m');
    expect(revisionState({ syncs: [one, sync('b', other, other, 'Degraded')] }, isIt)).toBeUndefined();
  });

  it('has restarted what has another generation, and not what came or went', () => {
    const before = { 'Deployment/web 1': '3', 'Deployment/gone 2': '1', 'StatefulSet/db 3': '1' };
    const after = { 'Deployment/web 1': '4', 'StatefulSet/db 3': '1', 'Deployment/new 9': '1' };
    expect(changedGenerations(before, after)).toEqual(['Deployment/web']);
  });
});

describe('the recipient that gives way', () => {
  const [a, b] = [makeIdentity(new Date()).identity, makeIdentity(new Date()).identity];

  it('is the one whose identity is at hand and that something names, or the one that is said', () => {
    const named = new Set([a.recipient, b.recipient]);
    expect(oldRecipient(undefined, [a], named, undefined)).toBe(a.recipient);
    expect(oldRecipient(undefined, [a, a], named, undefined)).toBe(a.recipient);
    expect(oldRecipient(undefined, [a, b], named, b.recipient)).toBe(a.recipient);
    expect(oldRecipient(b.recipient, [a, b], named, undefined)).toBe(b.recipient);
    for (const attempt of [
      () => oldRecipient(undefined, [a, b], named, undefined),
      () => oldRecipient(undefined, [], named, undefined),
      () => oldRecipient('age1nobody', [a], named, undefined),
    ])
      expect(attempt).toThrow(expect.objectContaining({ code: 'SOTTO-ROTATE-001' }) as Error);
  });
});

describe('a file that needs a key', () => {
  const [old, made, reader] = [1, 2, 3].map(() => makeIdentity(new Date()).identity.recipient);

  it('names it, in a group in which no other key of the agent stands', async () => {
    const others = new Set([made ?? '']);
    expect(filesNeeding([await headOf(old)], old ?? '', others)).toHaveLength(1);
    expect(filesNeeding([await headOf(old, reader)], old ?? '', others)).toHaveLength(1);
    expect(filesNeeding([await headOf(old, made)], old ?? '', others)).toHaveLength(0);
    expect(filesNeeding([await headOf(made)], old ?? '', others)).toHaveLength(0);
  });
});

describe('a text without its sops block', () => {
  const recipients = [makeIdentity(new Date()).identity.recipient];
  const clear: Readonly<Record<Exclude<WholeFormat, 'binary'>, (value: string) => string>> = {
    yaml: (value) => `# top\na: ${JSON.stringify(value)} # why\nb:\n- c\n`,
    json: (value) => `${JSON.stringify({ a: value, b: ['c'] }, undefined, 2)}\n`,
    dotenv: (value) => `# top\nA=${value}\n`,
    ini: (value) => `; top\n[b]\na = ${value}\n`,
  };

  it('is the same for whoever the file is encrypted', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('yaml', 'json', 'dotenv', 'ini'),
        fc.stringMatching(/^[a-z]{1,20}$/),
        async (format, value) => {
          const seal = (names: readonly string[]): Promise<string> =>
            encryptFile(Buffer.from(clear[format](value)), { format, file: 'a', recipients: names, now: new Date() });
          const tokens = /ENC\[[^\]]*\]/g;
          const [one, two] = [
            await seal(recipients),
            await seal([...recipients, makeIdentity(new Date()).identity.recipient]),
          ];
          const bare = [one, two].map((text) => withoutBlock(text, format, 'a').replaceAll(tokens, 'ENC'));
          expect(bare[0]).toBe(bare[1]);
          expect(bare[0]).not.toContain('age1');
          expect(bare[0]).toContain('ENC');
        },
      ),
      { numRuns: 20 },
    );
  });
});
