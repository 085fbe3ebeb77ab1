import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { NO_SETTINGS, nextSettings, settingsUnreadable } from '../../src/settings/last-good.ts';
import { MINIMAL } from './example.ts';

const FILE = 'ConfigMap/sotto';
const OTHER = MINIMAL.replace('name: app', 'name: other');

describe('the settings in force', () => {
  it('are none until a good text was seen', () => {
    const bad = nextSettings(NO_SETTINGS, 'kind: nonsense', FILE);
    expect(bad.current).toBeUndefined();
    expect(bad.problems).toHaveLength(1);
    expect(nextSettings(bad, MINIMAL, FILE)).toMatchObject({ current: { syncs: [{ name: 'app' }] }, problems: [] });
  });

  it('stay the last good ones after a bad change, with the problems told', () => {
    const good = nextSettings(NO_SETTINGS, MINIMAL, FILE);
    const bad = nextSettings(good, `${MINIMAL}  nonsense: 1\n`, FILE);
    expect(bad.current).toBe(good.current);
    expect(bad.problems.map((problem) => problem.place.key)).toEqual(['syncs[0].nonsense']);
  });

  it('are the very same after a bad change was taken back', () => {
    const good = nextSettings(NO_SETTINGS, MINIMAL, FILE);
    const healed = nextSettings(nextSettings(good, 'a: [', FILE), MINIMAL, FILE);
    expect(healed.current).toBe(good.current);
    expect(healed.problems).toEqual([]);
    expect(nextSettings(healed, MINIMAL, FILE)).toBe(healed);
  });

  it('change with a good text', () => {
    const good = nextSettings(NO_SETTINGS, MINIMAL, FILE);
    expect(nextSettings(good, OTHER, FILE).current?.syncs[0]?.name).toBe('other');
  });

  it('stay when the text cannot be read at all', () => {
    const good = nextSettings(NO_SETTINGS, MINIMAL, FILE);
    const problem = new SottoError({ code: 'SOTTO-CONF-012', what: 'gone', why: 'deleted', next: 'put it back' });
    const blind = settingsUnreadable(good, problem);
    expect(blind).toEqual({ ...good, problems: [problem] });
    expect(nextSettings(blind, MINIMAL, FILE)).toEqual(good);
  });
});
