import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { canary } from '../harness/canary-values.ts';
import { describeReal } from '../harness/real.ts';
import { stockOutput } from '../harness/stock.ts';
import { startAtTerminal } from '../harness/terminal.ts';
import { sealedManifest } from '../sealed/material.ts';

const CTRL_C = '\u0003';
const PROMPT = 'value (not shown while you type';
const BINDING = ['--name', 'db', '-n', 'team'];

describeReal('a value typed at a terminal', ['kubeseal'], () => {
  let folder = '';
  const file = (name: string): string => join(folder, name);
  const files = async (): Promise<readonly string[]> => (await readdir(folder)).toSorted();

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sotto-typed-'));
    const made = await makeSealingCertificate({ now: new Date(), modulusBits: 2048 });
    await writeFile(file('cert.pem'), made.certificatePem);
    await writeFile(file('tls.key'), made.keyPem.reveal(), { mode: 0o600 });
    await writeFile(file('sealed.json'), JSON.stringify(sealedManifest({ encryptedData: {} })));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const opened = async (manifest: string): Promise<string> => {
    const unseal = ['--recovery-unseal', '--recovery-private-key', file('tls.key')];
    const secret = parseJson((await stockOutput('kubeseal', unseal, { stdin: manifest })).toString());
    return Buffer.from(stringAt(memberAt(secret, 'data') ?? null, 'token') ?? '', 'base64').toString();
  };

  test('is sealed, and the terminal shows nothing of it', async () => {
    await using session = startAtTerminal(['seal', '--raw', '--cert', 'cert.pem', ...BINDING], folder);
    await session.says(PROMPT);
    session.type(`${canary(0)}x\u007f\r`);
    expect(await session.ended()).toBe(0);
    const text = /^A[A-Za-z0-9+/]{300,}=*/m.exec(session.shown().replaceAll('\r', ''))?.[0] ?? '';
    expect(await opened(JSON.stringify(sealedManifest({ encryptedData: { token: text } })))).toBe(canary(0));
    expect(session.shown()).not.toContain(canary(0).slice(0, 8));
    // The terminal is as it was: it shows what is typed again.
    expect(session.shown()).toMatch(/ icanon .* echo /s);
  });

  test('goes into a file that is there', async () => {
    const merge = ['--merge-into', 'sealed.json', '--item', 'token'];
    await using session = startAtTerminal(['seal', '--raw', '--cert', 'cert.pem', ...merge], folder);
    await session.says(PROMPT);
    session.type(`${canary(1)}\r`);
    expect(await session.ended()).toBe(0);
    expect(await opened(await readFile(file('sealed.json'), 'utf8'))).toBe(canary(1));
    expect(session.shown()).not.toContain(canary(1).slice(0, 8));
  });

  test.each([
    ['to stdout', [...BINDING]],
    ['into a file', ['--merge-into', 'sealed.json', '--item', 'token']],
  ])('given up with Ctrl-C in the middle leaves nothing: %s', async (_where, args) => {
    const before = [await files(), await readFile(file('sealed.json'), 'utf8')];
    await using session = startAtTerminal(['seal', '--raw', '--cert', 'cert.pem', ...args], folder);
    await session.says(PROMPT);
    session.type(canary(2));
    session.type(CTRL_C);
    expect(await session.ended()).toBe(2);
    expect(session.shown()).toContain('SOTTO-CLI-096');
    expect(session.shown()).not.toContain(canary(2).slice(0, 8));
    expect(session.shown()).not.toMatch(/^A[A-Za-z0-9+/]{300,}/m);
    expect(session.shown()).toMatch(/ icanon .* echo /s);
    expect([await files(), await readFile(file('sealed.json'), 'utf8')]).toEqual(before);
  });
});
