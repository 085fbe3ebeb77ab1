import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCommitId } from '../../src/git/output.ts';
import {
  journalText,
  parseJournal,
  readJournal,
  removeJournal,
  type RotationJournal,
  writeJournal,
} from '../../src/git/rotation-journal.ts';

const commits = fc.stringMatching(/^[0-9a-f]{40}$/).map((text) => {
  if (!isCommitId(text)) throw new Error('no commit id');
  return text;
});
const names = fc.stringMatching(/^[^\n]{1,30}$/);
const targets = fc.record({ remote: names, branch: names });
const optional = <Value>(values: fc.Arbitrary<Value>) => fc.option(values, { nil: undefined });
const texts = fc.string({ minLength: 1, unit: 'binary' });
const journals: fc.Arbitrary<RotationJournal> = fc.record({
  to: commits,
  push: optional(targets),
  here: optional(fc.record({ branch: names, from: commits })),
  agent: optional(
    fc.record({
      kubeconfig: optional(texts),
      context: optional(texts),
      server: texts,
      namespace: texts,
      workloads: texts,
      secret: optional(texts),
      until: fc.constantFrom('2027-01-01T00:00:00Z', '2026-11-29T12:30:00Z'),
      generations: optional(fc.dictionary(texts, fc.stringMatching(/^\d{1,9}$/), { noNullPrototype: true })),
    }),
  ),
});

describe('the journal of a rotation', () => {
  it('says what was written into it', () => {
    fc.assert(
      fc.property(journals, (journal) => {
        expect(parseJournal(journalText(journal))).toEqual(journal);
      }),
    );
  });

  it('is none when anything is cut off or put behind it', () => {
    fc.assert(
      fc.property(journals, fc.nat(), (journal, at) => {
        const text = journalText(journal);
        expect(parseJournal(text.slice(0, at % text.length))).toBeUndefined();
        expect(parseJournal(`${text}x`)).toBeUndefined();
      }),
    );
  });

  it('is read as the first form had it, which knew nothing of an agent', () => {
    const optionalTarget = optional(targets);
    fc.assert(
      fc.property(names, commits, commits, optionalTarget, (branch, from, to, push) => {
        const text = `sotto rotate 1\n${branch}\n${from}\n${to}\n${push?.remote ?? ''}\n${push?.branch ?? ''}\n`;
        expect(parseJournal(text)).toEqual({ to, push, here: { branch, from }, agent: undefined });
        expect(parseJournal(text.slice(0, -1))).toBeUndefined();
        expect(parseJournal(`${text}x`)).toBeUndefined();
      }),
    );
  });

  it('is none when a part of it is something else', () => {
    const [journal] = fc.sample(journals, 1);
    for (const wrong of [
      { to: 'main' },
      { push: { remote: 'origin' } },
      { here: { branch: 'main', from: 'HEAD' } },
      { agent: { server: 'https://127.0.0.1:6443' } },
      { agent: 'sotto' },
    ])
      expect(parseJournal(`sotto rotate 2\n${JSON.stringify({ ...journal, ...wrong })}\n`)).toBeUndefined();
  });

  it.each<[string, (path: string, text: string) => void]>([
    ['a pipe', (path) => void execFileSync('mkfifo', [path])],
    ['a folder', (path) => mkdirSync(path)],
    [
      'a link',
      (path, text) => {
        writeFileSync(`${path}.there`, text);
        symlinkSync(`${path}.there`, path);
      },
    ],
    ['100 MB', (path) => writeFileSync(path, 'x\n'.repeat(50_000_000))],
    ['a million levels deep', (path) => writeFileSync(path, `sotto rotate 2\n${'['.repeat(1_000_000)}\n`)],
    ['NULs', (path) => writeFileSync(path, Buffer.alloc(1_000_000))],
    ['no UTF-8', (path) => writeFileSync(path, Buffer.from([0xff, 0xfe, 0x0a]))],
  ])('is damaged when somebody has planted one that is %s', (_, plant) => {
    const folder = mkdtempSync(join(tmpdir(), 'sotto-journal-'));
    try {
      const [journal] = fc.sample(journals, 1);
      if (journal === undefined) throw new Error('no sample');
      const path = join(folder, 'sotto-rotate');
      plant(path, journalText(journal));
      expect(readJournal(path)).toBe('damaged');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.runIf(process.getuid?.() === 0)('is damaged when it belongs to another user', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sotto-journal-'));
    try {
      const [journal] = fc.sample(journals, 1);
      if (journal === undefined) throw new Error('no sample');
      const path = join(folder, 'sotto-rotate');
      writeJournal(path, journal);
      chownSync(path, 12_345, 12_345);
      expect(readJournal(path)).toBe('damaged');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('is not written through a link that lies where it is made', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sotto-journal-'));
    try {
      const [journal] = fc.sample(journals, 1);
      if (journal === undefined) throw new Error('no sample');
      const [path, precious] = [join(folder, 'sotto-rotate'), join(folder, 'precious')];
      writeFileSync(precious, 'as it was');
      symlinkSync(precious, `${path}.tmp`);
      writeJournal(path, journal);
      expect(readJournal(path)).toEqual(journal);
      expect(readFileSync(precious, 'utf8')).toBe('as it was');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('is found, found damaged, or not there', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sotto-journal-'));
    try {
      const path = join(folder, 'sotto-rotate');
      expect(readJournal(path)).toBeUndefined();
      const [journal] = fc.sample(journals, 1);
      if (journal === undefined) throw new Error('no sample');
      writeJournal(path, journal);
      expect(readJournal(path)).toEqual(journal);
      writeFileSync(path, 'something\n');
      expect(readJournal(path)).toBe('damaged');
      removeJournal(path);
      expect(readJournal(path)).toBeUndefined();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
