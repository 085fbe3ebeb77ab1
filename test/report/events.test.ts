import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CorrectionFacts } from '../../src/report/event-notes.ts';
import { attentionEvent, correctedEvent, prunedEvent, uncorrectableEvent } from '../../src/report/event-notes.ts';
import type { EventBook, EventWrite } from '../../src/report/event-series.ts';
import { emptyEventBook, recordEvent } from '../../src/report/event-series.ts';
import type { EventFacts } from '../../src/report/events.ts';
import { buildEvent } from '../../src/report/events.ts';

const REPORTER = { instance: 'sotto-6d5f-x' };
const START = Date.parse('2026-11-23T12:00:00.250Z');
const FACTS: EventFacts = {
  regarding: { group: 'apps', apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'team-a', name: 'web', uid: 'u-1' },
  type: 'Normal',
  reason: 'DriftCorrected',
  action: 'Apply',
  note: 'Undid a change',
};

describe('an Event', () => {
  it('has what events.k8s.io/v1 wants', () => {
    const event = buildEvent(FACTS, REPORTER, new Date(START), 'w');
    expect(event).toEqual({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: expect.stringMatching(/^web\.[0-9a-f]{16}$/) as string, namespace: 'team-a' },
      eventTime: '2026-11-23T12:00:00.250000Z',
      reportingController: 'sotto',
      reportingInstance: 'sotto-6d5f-x',
      type: 'Normal',
      reason: 'DriftCorrected',
      action: 'Apply',
      note: 'Undid a change',
      regarding: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'team-a', name: 'web', uid: 'u-1' },
    });
  });

  it('has a name that the API server takes, whatever the object is called', () => {
    const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (name) => {
        const event = buildEvent({ ...FACTS, regarding: { ...FACTS.regarding, name } }, REPORTER, new Date(START), 'w');
        expect(event.metadata.name).toMatch(subdomain);
        expect(event.metadata.name.length).toBeLessThanOrEqual(253);
      }),
    );
  });

  it('has a note of at most 1024 bytes without hidden characters', () => {
    const event = buildEvent({ ...FACTS, note: `\u001b[2J${'ä'.repeat(2_000)}` }, REPORTER, new Date(START), 'w');
    expect(Buffer.byteLength(event.note)).toBeLessThanOrEqual(1_024);
    expect(event.note.startsWith('[2Jä')).toBe(true);
  });

  it('about a cluster-scoped object goes where the API server takes it', () => {
    const regarding = { group: '', apiVersion: 'v1', kind: 'Namespace', namespace: '', name: 'team-a' };
    const event = buildEvent({ ...FACTS, regarding }, REPORTER, new Date(START), 'w');
    expect(event.metadata.namespace).toBe('default');
    expect(event.regarding).toEqual({ apiVersion: 'v1', kind: 'Namespace', name: 'team-a' });
  });
});

describe('the Event of a correction', () => {
  const facts: CorrectionFacts = {
    paths: ['/spec/replicas'],
    manager: 'kubectl-edit',
    change: 'edited',
    revision: 'main@sha1:0123',
  };
  const note = (over: Partial<CorrectionFacts>): string => correctedEvent(FACTS.regarding, { ...facts, ...over }).note;

  it('says what, who, what it is now, and names only commands that exist', () => {
    expect(note({})).toBe(
      'Undid a change of /spec/replicas by kubectl-edit: the object is as in Git at main@sha1:0123 again. ' +
        'To change it for a while: `sotto pause apps/Deployment/web --for 1h --reason TEXT`; to keep a change: pause, then edit, then `sotto keep apps/Deployment/web`.',
    );
    expect(note({ canKeep: true })).toMatch(/TEXT`; to put the change into Git: `sotto keep apps\/Deployment\/web`\.$/);
  });

  it('says of a Secret that the undone value is gone', () => {
    const secret = { group: '', apiVersion: 'v1', kind: 'Secret', namespace: 'team-a', name: 'db' };
    expect(correctedEvent(secret, { ...facts, paths: ['/data/password'] }).note).toContain('value is not kept');
    expect(note({})).not.toContain('value');
  });

  it('knows deletions, unknown writers and long lists', () => {
    expect(note({ change: 'deleted', manager: undefined })).toContain('Undid a deletion by an unknown writer');
    const paths = Array.from({ length: 9 }, (_, n) => `/data/k${n}`);
    expect(note({ paths })).toContain('/data/k4 and 4 more by');
  });

  it('warns when the change cannot be undone', () => {
    expect(uncorrectableEvent(FACTS.regarding, facts)).toMatchObject({ type: 'Warning', reason: 'DriftUncorrectable' });
  });
});

describe('the Event of trouble', () => {
  it('has code, message, place and next step in one line', () => {
    const item = {
      code: 'SOTTO-SOPS-001',
      message: 'the file was changed',
      file: 'db.yaml',
      line: 3,
      key: 'data.password',
      next: 'restore it',
    } as const;
    expect(attentionEvent(FACTS.regarding, 'Refused', item)).toMatchObject({
      type: 'Warning',
      reason: 'Refused',
      note: 'SOTTO-SOPS-001: the file was changed (db.yaml:3, key data.password) — restore it',
    });
  });

  it('is none when an object left Git', () => {
    expect(prunedEvent(FACTS.regarding, 'main@sha1:0123')).toMatchObject({ type: 'Normal', reason: 'Pruned' });
  });
});

/** What is sent for the same Event at these times after START. */
function run(timesMs: readonly number[]): readonly EventWrite[] {
  let book: EventBook = emptyEventBook;
  return timesMs.map((ms) => {
    const recorded = recordEvent(book, FACTS, REPORTER, new Date(START + ms));
    book = recorded.book;
    return recorded.write;
  });
}

describe('the same Event again', () => {
  it('is one Event whose count is sent when it doubles, at most every minute', () => {
    const writes = run(Array.from({ length: 300 }, (_, n) => n * 1_000));
    const sent = writes.flatMap((write) => (write.action === 'patch' ? [write.patch.series.count] : []));
    expect(writes.filter((write) => write.action === 'create')).toHaveLength(1);
    expect(sent).toEqual([61, 122, 244]);
  });

  it('is sent after half an hour even if the count has not doubled, so that it does not expire', () => {
    const everyFiveMinutes = Array.from({ length: 25 }, (_, n) => n * 300_000);
    const sent = run(everyFiveMinutes).flatMap((write, n) => (write.action === 'patch' ? [n] : []));
    const gaps = [...sent, 24].map((n, index) => n - (sent[index - 1] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(6);
  });

  it('starts anew after ten quiet minutes, under another name', () => {
    const [first, second] = run([0, 600_001]);
    expect([first?.action, second?.action]).toEqual(['create', 'create']);
    expect(
      new Set([first, second].map((write) => (write?.action === 'create' ? write.event.metadata.name : ''))).size,
    ).toBe(2);
  });

  it('has the same name after a restart, so that the API server answers 409', () => {
    const [one] = run([0]);
    const [two] = run([20_000]);
    expect(
      one?.action === 'create' && two?.action === 'create' && one.event.metadata.name === two.event.metadata.name,
    ).toBe(true);
  });

  it('is told apart by object, reason and note', () => {
    let book = emptyEventBook;
    const others = [
      FACTS,
      { ...FACTS, reason: 'Pruned' },
      { ...FACTS, note: 'x' },
      { ...FACTS, regarding: { ...FACTS.regarding, uid: 'u-2' } },
    ];
    for (const facts of others) {
      const recorded = recordEvent(book, facts, REPORTER, new Date(START));
      expect(recorded.write.action).toBe('create');
      book = recorded.book;
    }
  });

  it('is forgotten before memory grows', () => {
    let book = emptyEventBook;
    for (let n = 0; n < 1_200; n++)
      book = recordEvent(book, { ...FACTS, note: `n${n}` }, REPORTER, new Date(START + n)).book;
    expect(book.size).toBe(1_000);
    book = recordEvent(book, FACTS, REPORTER, new Date(START + 3_600_000)).book;
    expect(book.size).toBe(1);
  });
});
