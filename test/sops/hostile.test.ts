import { describe, expect, it } from 'vitest';
import { openFiles } from '../../src/open/open.ts';
import { compilePattern, PatternError } from '../../src/sops/pattern.ts';
import { emitIni } from '../../src/sops/emit-ini.ts';
import { parseSopsFile } from '../../src/sops/file.ts';
import { SopsWhole } from '../../src/sops/whole.ts';
import { refusal } from './fixtures.ts';

// What whoever may push can write: it ends in a code, and in time. The bounds of time are those of the test runner.

const CONTENT = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n';

const manifest = (more: string, content = CONTENT): string =>
  `${content}sops:\n  age:\n  - recipient: x\n    enc: y\n  lastmodified: "2026-01-02T03:04:05Z"\n  mac: ENC[x]\n  version: 3.13.3\n  ${more}\n`;

function withKeys(count: number): unknown {
  const keys = '  - fp: a\n    enc: b\n'.repeat(count);
  return parseSopsFile(manifest(`encrypted_regex: nothing\n  pgp:\n${keys}`, 'a: b\n'), 'yaml', 'f');
}

function iniKey(name: string): { name: string; value: Buffer; comment: undefined } {
  return { name, value: Buffer.from('x'), comment: undefined };
}

describe('a hostile SOPS file', () => {
  it.each([10_000, 130_000, 400_000])('with a selector of %i characters is one bad file, or none', async (length) => {
    const text = manifest(`encrypted_regex: '\\Q${'a'.repeat(length)}'`);
    const context = { namespace: 'a', isKnown: () => true, opener: {} } as never;
    const { documents, refusals } = await openFiles([{ path: 'a.yaml', bytes: Buffer.from(text) }], context);
    expect(refusals.map(({ error }) => error.code)).toEqual(length > 16_384 ? ['SOTTO-SOPS-010'] : []);
    expect(documents).toHaveLength(length > 16_384 ? 0 : 1);
  });

  it('has no regular expression that is too long to be read', () => {
    for (const pattern of ['a'.repeat(5_000_000), '('.repeat(200_000), '\\Q'.repeat(100_000), 'a|'.repeat(100_000)]) {
      expect(() => compilePattern(pattern)).toThrow(PatternError);
    }
  });

  it.each(['ini', 'dotenv'] as const)(
    'has a flat block that is nested no deeper than a block is: %s',
    async (format) => {
      const name = `age${'__map_a'.repeat(300_000)}`;
      const text = format === 'ini' ? `[s]\na=1\n[sops]\n${name}=1\n` : `a=1\nsops_${name}=1\n`;
      expect((await refusal(() => new SopsWhole(text, format, 'f'))).code).toBe('SOTTO-SOPS-003');
    },
  );

  it('names no more keys than can be tried', async () => {
    expect(withKeys(499)).toBeDefined();
    expect((await refusal(() => withKeys(500))).code).toBe('SOTTO-SOPS-003');
  });

  it('has comments that are looked at once, however many blank lines follow them', () => {
    const content = `a: b\n${'# c\n'.repeat(1_900)}${'\n'.repeat(900_000)}z: ""\n`;
    const parsed = parseSopsFile(manifest('encrypted_comment_regex: nope', content), 'yaml', 'f');
    expect(parsed.documents).toHaveLength(1);
  });

  it('does not become hundreds of megabytes for one long key of INI', async () => {
    const keys = [iniKey('k'.repeat(40_000)), ...Array.from({ length: 8_000 }, (_, index) => iniKey(`a${index}`))];
    const sections = [{ name: 's', comment: undefined, keys }];
    expect((await refusal(() => emitIni(sections, 'f'))).code).toBe('SOTTO-SOPS-043');
    expect(emitIni([{ name: 's', comment: undefined, keys: keys.slice(1) }], 'f').length).toBeLessThan(150_000);
  });
});
