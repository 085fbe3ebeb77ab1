import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../src/core/json.ts';
import { parseSettings } from '../../src/settings/parse.ts';
import { readSettingsText } from '../../src/settings/text.ts';
import { ALL_DEFAULTS, MINIMAL } from './example.ts';
import { schemaErrors } from './json-schema.ts';

const SCHEMA = parseJson(readFileSync(join(import.meta.dirname, '../../docs/settings.schema.json'), 'utf8'));

function errorsOf(text: string): string[] {
  const read = readSettingsText(text, 'sotto.yaml');
  return read.ok ? schemaErrors(SCHEMA, read.text.document) : ['not YAML'];
}

const inSync = (line: string): string => `${MINIMAL}  ${line}\n`;
const inDocument = (line: string): string => MINIMAL.replace('syncs:', `${line}\nsyncs:`);

describe('docs/settings.schema.json', () => {
  it('takes every default written out, and fields that are left empty', () => {
    expect(errorsOf(ALL_DEFAULTS)).toEqual([]);
    expect(errorsOf(MINIMAL)).toEqual([]);
    expect(errorsOf(inSync('prune: false'))).toEqual([]);
    expect(errorsOf(inDocument('sealing:\npage:\n'))).toEqual([]);
  });

  it('takes whatever the agent takes', () => {
    const lines = ALL_DEFAULTS.split('\n');
    const value = fc.oneof(
      fc.constantFrom(
        '[]',
        '{}',
        '~',
        '',
        'true',
        'false',
        '5',
        '0s',
        '1h',
        'x',
        '[ x ]',
        ':80',
        '""',
        '"x"',
        'unseal',
        'ask',
        'warn',
      ),
      fc.json(),
    );
    const changes = fc.array(fc.record({ line: fc.nat({ max: lines.length - 1 }), value }), {
      minLength: 1,
      maxLength: 4,
    });
    let taken = 0;
    fc.assert(
      fc.property(changes, (all) => {
        const changed = [...lines];
        for (const change of all) {
          changed[change.line] = (changed[change.line] ?? '').replace(/: [^{[].*$/, `: ${change.value}`);
        }
        const text = changed.join('\n');
        if (!parseSettings(text, 'sotto.yaml').ok) return;
        taken += 1;
        expect(errorsOf(text), text).toEqual([]);
      }),
      { seed: 7, numRuns: 2_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it.each([
    inSync('intervall: 5m'),
    inSync('interval: 5'),
    inSync('adopt: sometimes'),
    inSync('render: { helm: { releaseName: x } }'),
    inSync('sealedSecrets: never'),
    inSync('drift: { policy: strict }'),
    inSync('prune: { minimum: -1 }'),
    inDocument('hooks: { listen: ":9292" }'),
    inDocument('sealing: { enabled: maybe }'),
    MINIMAL.replace('kind: Config', 'kind: Configuration'),
    MINIMAL.replace('name: app', 'nam: app'),
    MINIMAL.replace('branch: main', 'tag: v1'),
  ])('refuses what the agent refuses, while it is typed (%#)', (text) => {
    expect(parseSettings(text, 'sotto.yaml').ok).toBe(false);
    expect(errorsOf(text)).not.toEqual([]);
  });
});
