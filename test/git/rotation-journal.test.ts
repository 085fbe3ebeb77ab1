import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
