import { describe, expect, it } from 'vitest';
import { type ObjectKey, objectKey } from '../../src/core/ids.ts';
import { endedPauses, type Pause, pauseOf, targetText, withoutPause, withPause } from '../../src/plan/pause.ts';

const key = (name: string): ObjectKey => objectKey({ group: 'apps', kind: 'Deployment', namespace: 'team', name });
const until = (text: string): Pick<Pause, 'until' | 'by' | 'reason'> => ({
  until: new Date(text),
  by: 'b',
  reason: 'r',
});
const web: Pause = { target: { kind: 'object', key: key('web') }, ...until('2026-11-28T13:00:00Z') };
const app: Pause = { target: { kind: 'sync', name: 'app' }, ...until('2026-11-28T14:00:00Z') };

describe('a pause', () => {
  it('of an object leaves that object alone, one of a sync everything of it', () => {
    expect(pauseOf([web], key('web'), 'app')).toBe(web);
    expect(pauseOf([web], key('api'), 'app')).toBeUndefined();
    expect(pauseOf([app], key('api'), 'app')).toBe(app);
    expect(pauseOf([app], key('api'), 'infra')).toBeUndefined();
  });

  it('replaces the one before of the same target', () => {
    const longer: Pause = { ...web, until: new Date('2026-11-29T13:00:00Z') };
    expect(withPause([web, app], longer)).toEqual([app, longer]);
    expect(withoutPause([longer, app], web.target)).toEqual([app]);
  });

  it('ends at its time', () => {
    expect(endedPauses([web, app], new Date('2026-11-28T12:59:59Z'))).toEqual([]);
    expect(endedPauses([web, app], new Date('2026-11-28T13:00:00Z'))).toEqual([web]);
  });

  it('is named as people name objects', () => {
    expect([web, app].map(({ target }) => targetText(target))).toEqual(['apps/Deployment/web', 'sync app']);
  });
});
