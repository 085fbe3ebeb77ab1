import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type PreparedFile, writeFiles } from '../../src/cli/recipients/change.ts';
import type { PolicyFile } from '../../src/cli/recipients/coverage.ts';
import { readPolicy } from '../../src/sops/policy.ts';

const RULES = 'creation_rules:\n- age: age1old\n';
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sotto-recipients-'));
  for (const [name, text] of Object.entries({ '.sops.yaml': RULES, 'a.yaml': 'a\n', 'b.yaml': 'b\n' }))
    writeFileSync(join(folder, name), text);
});
afterEach(() => rmSync(folder, { recursive: true }));

const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

function policyFile(): PolicyFile {
  const input = {
    path: join(folder, '.sops.yaml'),
    name: '.sops.yaml',
    isStdin: false,
    bytes: Uint8Array.from(Buffer.from(RULES)),
  };
  return { input, folder, text: RULES, policy: readPolicy(RULES, '.sops.yaml') };
}

function prepared(name: string, was: string): PreparedFile {
  const bytes = Uint8Array.from(Buffer.from(was));
  return {
    sealed: { path: join(folder, name), below: name, name, format: 'yaml', text: was, bytes },
    text: `${was}new\n`,
  };
}

function write(): void {
  writeFiles(policyFile(), `${RULES}# new\n`, [prepared('a.yaml', 'a\n'), prepared('b.yaml', 'b\n')]);
}

describe('files that get other recipients', () => {
  it('are written with the rules, each as it was made', () => {
    write();
    expect([read('.sops.yaml'), read('a.yaml'), read('b.yaml')]).toEqual([`${RULES}# new\n`, 'a\nnew\n', 'b\nnew\n']);
  });

  it.each(['.sops.yaml', 'a.yaml', 'b.yaml'])(
    'are not written, nor the rules, when %s was changed meanwhile',
    (name) => {
      writeFileSync(join(folder, name), 'mine\n');
      const before = [read('.sops.yaml'), read('a.yaml'), read('b.yaml')];
      expect(write).toThrow(expect.objectContaining({ code: 'SOTTO-CLI-095' }) as Error);
      expect([read('.sops.yaml'), read('a.yaml'), read('b.yaml')]).toEqual(before);
    },
  );
});
