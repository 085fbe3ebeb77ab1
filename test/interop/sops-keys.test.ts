import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { generateHybridIdentity, identityToRecipient } from 'age-encryption';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SottoError } from '../../src/core/errors.ts';
import { parseAgeIdentities } from '../../src/sops/age.ts';
import { decryptSops } from '../../src/sops/decrypt.ts';
import { encryptSops } from '../../src/sops/encrypt.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { decryptFile, openForChange } from '../../src/sops/change.ts';
import type { Identity } from '../../src/sops/identity.ts';
import { refusal } from '../sops/fixtures.ts';
import { describeReal } from '../harness/real.ts';
import { type AgeKeyPair, newAgeKeyPair, runStock, stockOutput } from '../harness/stock.ts';

const CLEAR = 'password: hunter2\n';

async function opened(text: string, identities: readonly Identity[]): Promise<string> {
  using clear = await decryptSops(text, 'yaml', 'f.yaml', identities);
  return Buffer.from(clear.reveal()).toString();
}

describeReal('key groups', ['sops', 'age-keygen'], () => {
  let folder: string;
  let pairs: AgeKeyPair[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-groups-'));
    pairs = [await newAgeKeyPair(), await newAgeKeyPair(), await newAgeKeyPair()];
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const identitiesOf = (...indices: number[]) =>
    indices.flatMap((index) => parseAgeIdentities(Buffer.from(pairs[index]?.identity ?? '')));

  async function byStock(threshold: number): Promise<string> {
    const groups = pairs.map(({ recipient }) => `      - age: [${recipient}]`).join('\n');
    const rule = `creation_rules:\n  - shamir_threshold: ${threshold}\n    key_groups:\n${groups}\n`;
    writeFileSync(join(folder, '.sops.yaml'), rule);
    writeFileSync(join(folder, 'f.yaml'), CLEAR);
    return (await stockOutput('sops', ['encrypt', 'f.yaml'], { env: { HOME: folder }, cwd: folder })).toString();
  }

  it('of stock sops open with as many as the threshold wants, and with more', async () => {
    const text = await byStock(2);
    for (const held of [
      [0, 1],
      [0, 2],
      [2, 1],
      [0, 1, 2],
    ])
      expect(await opened(text, identitiesOf(...held))).toBe(CLEAR);
  });

  it('of which too few open are named with those they are for', async () => {
    const text = await byStock(2);
    const error = await decryptSops(text, 'yaml', 'f.yaml', identitiesOf(1)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SOTTO-SOPS-030', place: { file: 'f.yaml', key: 'sops.key_groups' } });
    for (const { recipient } of pairs) expect((error as SottoError).why).toContain(recipient);
  });

  it('all count when no threshold is set', async () => {
    const text = await byStock(0);
    expect(await opened(text, identitiesOf(0, 1, 2))).toBe(CLEAR);
    expect((await refusal(() => opened(text, identitiesOf(0, 1)))).code).toBe('SOTTO-SOPS-030');
  });

  it.each([
    [2, 2],
    [2, 3],
    [3, 3],
    [2, 1],
  ])(
    'that sotto wrote, %i of 3, open in stock sops with %i identities where that is enough',
    async (threshold, held) => {
      const groups = pairs.map(({ recipient }) => [{ kind: 'age' as const, recipient }]);
      const text = await encryptSops(CLEAR, {
        format: 'yaml',
        file: 'f.yaml',
        recipients: { groups, threshold },
        now: new Date(),
      });
      writeFileSync(join(folder, 'f.yaml'), text);
      const keys = pairs.slice(0, held).map(({ identity }) => identity);
      const env = { HOME: folder, SOPS_AGE_KEY: keys.join(' ') };
      const { code, stdout } = await runStock('sops', ['decrypt', 'f.yaml'], { env, cwd: folder });
      expect([code, stdout.toString()]).toEqual(held < threshold ? [128, ''] : [0, CLEAR]);
      const own = opened(text, identitiesOf(...keys.keys()));
      if (held < threshold) expect((await refusal(() => own)).code).toBe('SOTTO-SOPS-030');
      else expect(await own).toBe(CLEAR);
    },
  );

  it.each([
    ['json', '{\n\t"password": "hunter2"\n}\n'],
    ['dotenv', 'PASSWORD=hunter2\n'],
    ['binary', 'hunter2'],
  ] as const)('of %s files go both ways', async (format, clear) => {
    const groups = pairs.map(({ recipient }) => [{ kind: 'age' as const, recipient }]);
    const file = `f.${format === 'dotenv' ? 'env' : format}`;
    const options = { format, file, recipients: { groups, threshold: 2 }, now: new Date() };
    writeFileSync(join(folder, file), await encryptFile(Buffer.from(clear), options));
    const env = { HOME: folder, SOPS_AGE_KEY: `${pairs[0]?.identity} ${pairs[2]?.identity}` };
    expect((await stockOutput('sops', ['decrypt', file], { env, cwd: folder })).toString()).toBe(clear);
    await stockOutput('sops', ['rotate', '-i', file], { env, cwd: folder });
    using again = await decryptFile(readFileSync(join(folder, file), 'utf8'), format, file, identitiesOf(1, 2));
    expect(Buffer.from(again.reveal()).toString()).toBe(clear);
  });

  it('stay as they are when a value is changed, and stock sops opens the file then', async () => {
    const text = await byStock(2);
    using changing = await openForChange(text, 'yaml', 'f.yaml', identitiesOf(0, 1));
    const changed = await changing.sealed(Buffer.from('password: changed\n'), new Date());
    expect(changed.match(/^ {12,}.*$/gm)).toEqual(text.match(/^ {12,}.*$/gm));
    writeFileSync(join(folder, 'f.yaml'), changed);
    const env = { HOME: folder, SOPS_AGE_KEY: `${pairs[1]?.identity} ${pairs[2]?.identity}` };
    const stock = await stockOutput('sops', ['decrypt', 'f.yaml'], { env, cwd: folder });
    expect(stock.toString()).toBe('password: changed\n');
  });

  it('survive a rotation by stock sops', async () => {
    writeFileSync(join(folder, 'f.yaml'), await byStock(2));
    const env = { HOME: folder, SOPS_AGE_KEY: `${pairs[0]?.identity} ${pairs[1]?.identity}` };
    await stockOutput('sops', ['rotate', '-i', 'f.yaml'], { env, cwd: folder });
    expect(await opened(readFileSync(join(folder, 'f.yaml'), 'utf8'), identitiesOf(1, 2))).toBe(CLEAR);
  });
});

describeReal('identities of every kind', ['sops', 'age-keygen'], () => {
  let folder: string;
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sotto-identities-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const KINDS: readonly (readonly [string, () => Promise<Pair>])[] = [
    ['a post-quantum hybrid', hybridPair],
    ['ssh-ed25519', () => sshPair('ed25519', [])],
    ['ssh-rsa', () => sshPair('rsa', ['-b', '2048'])],
    ['ssh-rsa in PEM', () => sshPair('rsa', ['-b', '3072', '-m', 'PEM'])],
  ];

  interface Pair {
    readonly recipient: string;
    readonly secret: Buffer;
    /** How stock sops finds it. */
    readonly env: Record<string, string>;
  }

  async function hybridPair(): Promise<Pair> {
    const identity = await generateHybridIdentity();
    const env = { HOME: folder, SOPS_AGE_KEY: identity };
    return { recipient: await identityToRecipient(identity), secret: Buffer.from(identity), env };
  }

  async function sshPair(type: string, args: readonly string[]): Promise<Pair> {
    const file = join(mkdtempSync(join(folder, 'ssh-')), `id_${type}`);
    await promisify(execFile)('ssh-keygen', ['-q', '-t', type, ...args, '-N', '', '-C', 'me@here', '-f', file]);
    const env = { HOME: folder, SOPS_AGE_SSH_PRIVATE_KEY_FILE: file };
    return { recipient: readFileSync(`${file}.pub`, 'utf8').trim(), secret: readFileSync(file), env };
  }

  it.each(KINDS)('%s opens what stock sops wrote, and what it rotated', async (_kind, newPair) => {
    const { recipient, secret, env } = await newPair();
    const identities = parseAgeIdentities(secret);
    expect(recipient.startsWith(identities[0]?.recipient ?? '?')).toBe(true);
    writeFileSync(join(folder, 'f.yaml'), CLEAR);
    await stockOutput('sops', ['encrypt', '-i', '--age', recipient, 'f.yaml'], { env, cwd: folder });
    expect(await opened(readFileSync(join(folder, 'f.yaml'), 'utf8'), identities)).toBe(CLEAR);
    await stockOutput('sops', ['rotate', '-i', 'f.yaml'], { env, cwd: folder });
    expect(await opened(readFileSync(join(folder, 'f.yaml'), 'utf8'), identities)).toBe(CLEAR);
  });

  it.each(KINDS)('%s: stock sops opens and rotates what sotto wrote', async (_kind, newPair) => {
    const { recipient, secret, env } = await newPair();
    const options = { format: 'yaml' as const, file: 'f.yaml', recipients: [recipient], now: new Date() };
    const text = await encryptSops(CLEAR, options);
    expect(await opened(text, parseAgeIdentities(secret))).toBe(CLEAR);
    writeFileSync(join(folder, 'g.yaml'), text);
    expect((await stockOutput('sops', ['decrypt', 'g.yaml'], { env, cwd: folder })).toString()).toBe(CLEAR);
    await stockOutput('sops', ['rotate', '-i', 'g.yaml'], { env, cwd: folder });
    expect(await opened(readFileSync(join(folder, 'g.yaml'), 'utf8'), parseAgeIdentities(secret))).toBe(CLEAR);
  });

  it('an SSH key that is damaged anywhere is read or refused by code, and never quoted', async () => {
    const secrets = [(await sshPair('ed25519', [])).secret, (await sshPair('rsa', ['-b', '2048'])).secret];
    const base64 = fc.constantFrom(...Buffer.from('AQgw/+9=\n-'));
    fc.assert(
      fc.property(
        fc.constantFrom(...secrets),
        fc.array(fc.tuple(fc.nat(), base64), { minLength: 1, maxLength: 4 }),
        (secret, damages) => {
          const file = Buffer.from(secret);
          for (const [at, char] of damages) file[at % file.length] = char;
          try {
            parseAgeIdentities(file);
          } catch (thrown) {
            expect((thrown as SottoError).code).toMatch(/^SOTTO-AGE-0(?:02|04|10)$/);
            expect((thrown as SottoError).text()).not.toContain(secret.toString().slice(300, 330));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('an SSH key with a passphrase is refused with the reason', async () => {
    const file = join(mkdtempSync(join(folder, 'ssh-')), 'locked');
    await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'hunter22', '-f', file]);
    expect(await refusal(() => parseAgeIdentities(readFileSync(file)))).toEqual({ code: 'SOTTO-AGE-010', line: 1 });
  });

  it('the comment of an SSH recipient may be any text', async () => {
    const { recipient, secret } = await sshPair('ed25519', []);
    const odd = `${recipient.split(' ').slice(0, 2).join(' ')} me: "x" # y`;
    const text = await encryptSops(CLEAR, { format: 'yaml', file: 'f.yaml', recipients: [odd], now: new Date() });
    expect(await opened(text, parseAgeIdentities(secret))).toBe(CLEAR);
  });
});
