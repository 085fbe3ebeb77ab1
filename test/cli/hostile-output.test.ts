import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { confirmed } from '../../src/cli/ask.ts';
import { secretsIn } from '../../src/cli/keys/backup.ts';
import { keyListJson } from '../../src/cli/keys/key-list.ts';
import { table } from '../../src/cli/output.ts';
import { planJson } from '../../src/cli/rotate/report.ts';
import { rotationText } from '../../src/cli/rotate/status.ts';
import { statusIn } from '../../src/cli/status-document.ts';
import { SottoError } from '../../src/core/errors.ts';
import { STATUS_KEY, STATUS_SCHEMA } from '../../src/report/status.ts';
import { encrypted, newKeyPair } from '../sops/fixtures.ts';
import { sotto } from './session.ts';

// What others have written into a repository or a cluster, on its way to a terminal.

const EVIL = 'x\u001b[2J\u009b2J\u007f\u202ey';
const RAW = /(?!\n)\p{Cc}|\u202e/u;

const folder = mkdtempSync(join(tmpdir(), 'sotto-output-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function codeOf(attempt: () => unknown): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (thrown) {
    if (thrown instanceof SottoError) return thrown.code;
    throw thrown;
  }
}

const status = (more: string) => ({ data: { [STATUS_KEY]: `{"schema":"${STATUS_SCHEMA}",${more}}` } });
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

describe('what others have written', () => {
  it('is asked about without its control characters', async () => {
    const [stdin, stderr] = [new PassThrough(), new PassThrough()];
    const isTerminal = { stdin: true, stdout: true, stderr: true };
    const context = { stdin, stderr, isTerminal, signal: new AbortController().signal };
    const answer = confirmed(context, `Make ${EVIL}?`, { command: 'sotto' });
    stdin.end('y\n');
    expect(await answer).toBe(true);
    expect(String(stderr.read())).toContain('Make x [2J 2J y? [y/N] ');
  });

  it('is a next step without them', () => {
    for (const runs of ['old', 'both', 'new', 'neither', 'unknown', EVIL]) {
      for (const oldState of ['active', 'decrypt-only', EVIL]) {
        const text = rotationText({ runs, oldState, oldSecret: EVIL, pushed: { branch: EVIL } }, 'team-app');
        expect(text.replaceAll('\n', '')).not.toMatch(RAW);
      }
    }
  });

  it('is JSON in which they are escapes', async () => {
    const key = { kind: EVIL, id: EVIL, state: '', since: '', until: '', secret: EVIL, origin: '' };
    const texts = [
      keyListJson([{ ...key, files: undefined, commits: undefined }], new Date()),
      planJson([{ file: EVIL, kind: 'SOPS', change: EVIL } as never], undefined),
    ];
    const { recipient } = await newKeyPair();
    const sealed = await encrypted('a: b\n', recipient);
    writeFileSync(
      join(folder, '.sops.yaml'),
      `creation_rules:\n- age:\n  - ${recipient}\n  - "age1x\\e[2J\\x9b\\u202e"\n`,
    );
    writeFileSync(join(folder, 'a.yaml'), sealed.replace('a: ENC', '"a\\e[2J\\x9b\\x7f\\u202e": ENC'));
    for (const words of ['recipients list', 'recipients check', 'secret list a.yaml']) {
      for (const form of [['-o', 'json'], []]) {
        const { stdout, stderr } = await sotto([...words.split(' '), ...form], { cwd: folder });
        texts.push(stdout, stderr);
        expect(stdout + stderr).toContain('2J');
      }
    }
    const other = await newKeyPair();
    const added = await sotto(['recipients', 'add', other.recipient, '--plan'], { cwd: folder });
    expect(added.stdout).toContain('a.yaml: + ');
    texts.push(added.stdout, added.stderr);
    for (const text of texts) expect(text.replaceAll('\n', '')).not.toMatch(RAW);
  });

  it('is a table of any length', () => {
    expect(
      table(
        ['A'],
        Array.from({ length: 500_000 }, () => ['x']),
      ),
    ).toHaveLength(1_000_002);
  });

  it('is no status and no backup when it is nested without end', () => {
    expect(statusIn(status(`"x":${nested(90)}`))).toBeDefined();
    for (const more of [`"corrections":[{"paths":[${nested(300_000)}]}]`, `"x":${'['.repeat(300_000)}`])
      expect(codeOf(() => statusIn(status(more)))).toBe('SOTTO-CLI-011');
    const list = `{"items":[{"kind":"Secret","metadata":${nested(1_000_000)}}]}`;
    expect(codeOf(() => secretsIn(Buffer.from(list), 'b.age'))).toBe('SOTTO-KEYS-062');
  });
});
