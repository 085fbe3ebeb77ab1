import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCommitId } from '../../src/git/output.ts';
import { journalText, parseJournal, readJournal, removeJournal, writeJournal } from '../../src/git/rotation-journal.ts';

const commits = fc.stringMatching(/^[0-9a-f]{40}$/).map((text) => {
  if (!isCommitId(text)) throw new Error('no commit id');
  return text;
});
const names = fc.stringMatching(/^[^\n]{1,30}$/);
const journals = fc.record({
  branch: names,
  from: commits,
  to: commits,
  push: fc.option(fc.record({ remote: names, branch: names }), { nil: undefined }),
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
