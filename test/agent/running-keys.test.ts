import { describe, expect, it } from 'vitest';
import { RunningKeys } from '../../src/agent/rotation/running-keys.ts';
import type { SyncRuntime } from '../../src/agent/sync-runtime.ts';
import type { Revision } from '../../src/core/ids.ts';
import type { BlobId } from '../../src/git/output.ts';
import type { RotationOfKeys } from '../../src/keys/rotations.ts';
import { passed, runtime, snapshot } from './fixture.ts';

const ROTATION: RotationOfKeys = {
  old: 'age1old',
  made: 'age1made',
  secret: 'made',
  since: undefined,
  pushed: { url: 'https://a.example/b', branch: 'r', commit: 'a'.repeat(40), files: 1, keepOldMs: 1 },
  before: { secret: 'old', state: 'active', until: undefined, beside: ['age1beside'] },
};

/** A sync that has read a commit with files that name these, and applied one. */
function sync(name: string, names: readonly string[], read = '2', applied = '2'): SyncRuntime {
  const bytes = Buffer.from(`sops: { age: [${names.join(', ')}] }\n`);
  const files = [{ path: 'db.yaml', blob: 'b' as BlobId, bytes }];
  const made = runtime(name, { snapshot: { ...snapshot(read), files } });
  passed(made, read);
  made.report = made.report && { ...made.report, appliedRevision: `main@sha1:${applied}` as Revision };
  return made;
}

function syncs(...all: readonly SyncRuntime[]): ReadonlyMap<string, SyncRuntime> {
  return new Map(all.map((each) => [each.settings.name, each]));
}

const keys = new RunningKeys();

const runs = (...names: readonly (readonly string[])[]) =>
  keys.runs(syncs(...names.map((each, index) => sync(String(index), each))), ROTATION);

describe('what runs of a rotation', () => {
  it('is told by the files of every sync', () => {
    expect(runs(['age1old'], [])).toBe('old');
    expect(runs(['age1old'], ['age1made'])).toBe('both');
    expect(runs(['age1made'], ['age1other'])).toBe('new');
    expect(runs(['age1other'], [])).toBe('neither');
  });

  it('is not known while one of the syncs has not applied what it has read, or cannot', () => {
    const done = sync('a', ['age1made']);
    for (const late of [
      sync('b', ['age1made'], '2', '1'),
      runtime('b'),
      { ...sync('b', ['age1made']), report: undefined },
      { ...sync('b', ['age1made']), trouble: { error: new Error('away') as never, needsPerson: false } },
    ])
      expect(keys.runs(syncs(done, late), ROTATION)).toBe('unknown');
  });
});

describe('the old key of a rotation', () => {
  it('only opens from when all that runs is for the new key', () => {
    expect(keys.isDue(syncs(sync('a', ['age1made'])), ROTATION)).toBe(true);
    for (const not of [
      [sync('a', ['age1old'])],
      [sync('a', ['age1made']), sync('b', ['age1old'])],
      [sync('a', ['age1made']), sync('b', ['age1made'], '2', '1')],
      [sync('a', ['age1other'])],
    ])
      expect(keys.isDue(syncs(...not), ROTATION)).toBe(false);
  });

  it('stays as it is while something runs for another key of the same Secret', () => {
    expect(keys.isDue(syncs(sync('a', ['age1made']), sync('b', ['age1beside'])), ROTATION)).toBe(false);
  });

  it('stays as it is in a rotation that the agent has not pushed, and is marked once', () => {
    const running = syncs(sync('a', ['age1made']));
    expect(keys.isDue(running, { ...ROTATION, pushed: undefined })).toBe(false);
    const before = { ...ROTATION.before, state: 'decrypt-only' as const };
    expect(keys.isDue(running, { ...ROTATION, before })).toBe(false);
  });
});
