import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { Sensitive } from '../../src/core/sensitive.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import type { PlainSecret } from '../../src/sealed/plain-secret.ts';
import type { EncryptOptions } from '../../src/sops/encrypt.ts';
import { sotto } from '../cli/session.ts';
import { canary, FILE_CANARIES } from '../harness/canary-values.ts';
import { filesBelow } from '../harness/leak-places.ts';
import { needlesOf, scanBytes } from '../../src/demo/memory-scan.ts';
import { describeReal } from '../harness/real.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';

// The codecs do not err on demand, so what a faulty one would do is done to what goes into the real one.
const fault = vi.hoisted(() => ({ of: 'none' as 'none' | 'value' | 'entry' | 'name' }));
const MUTATED = 'bXV0YXRlZA==';

vi.mock(import('../../src/sops/encrypt.ts'), async (original) => {
  const real = await original();
  return {
    ...real,
    encryptSops: (clear: string, options: EncryptOptions) => real.encryptSops(changedText(clear), options),
  };
});
vi.mock(import('../../src/sealed/seal.ts'), async (original) => {
  const real = await original();
  return { ...real, sealSecret: (secret, ...more) => real.sealSecret(changedSecret(secret), ...more) };
});

function changedText(clear: string): string {
  if (fault.of === 'value') return clear.replace(/"?token"?: ?"[^"]*"/, `"token": "${MUTATED}"`);
  if (fault.of === 'entry') return clear.replace(/"?token"?: ?"/, '"token2": "');
  return fault.of === 'name' ? clear.replace('name: db', 'name: db2') : clear;
}

function changedSecret(secret: PlainSecret): PlainSecret {
  const [[key = '', value = Sensitive.copyOf(new Uint8Array())] = []] = secret.data;
  const mutated = Sensitive.copyOf(Buffer.from('mutated'));
  if (fault.of === 'value') return { ...secret, data: new Map([...secret.data, [key, mutated]]) };
  if (fault.of === 'entry') return { ...secret, data: new Map([[`${key}2`, value]]) };
  return fault.of === 'name' ? { ...secret, metadata: { ...secret.metadata, name: 'db2' } } : secret;
}

describeReal('what sotto convert makes is opened again, and', ['kubeseal', 'sops', 'age-keygen'], () => {
  let folder = '';
  let recipient = '';
  const file = (name: string): string => join(folder, name);
  const keys = ['--key-file', 'age.txt', '--key-file', 'tls.key'];
  const run = (args: readonly string[]) => sotto(['convert', ...keys, ...args], { cwd: folder, env: { HOME: folder } });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sotto-convert-proof-'));
    const made = await makeSealingCertificate({ now: new Date(), modulusBits: 2048 });
    const pair = await newAgeKeyPair();
    recipient = pair.recipient;
    await writeFile(file('cert.pem'), made.certificatePem);
    await writeFile(file('tls.key'), made.keyPem.reveal(), { mode: 0o600 });
    await writeFile(file('age.txt'), `${pair.identity}\n`, { mode: 0o600 });
  });
  beforeEach(async () => {
    fault.of = 'none';
    const data = { token: Buffer.from(canary(0)).toString('base64') };
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db', namespace: 'team' }, data };
    const stdin = JSON.stringify(secret);
    await writeFile(file('sealed.yaml'), await stockOutput('kubeseal', ['--cert', file('cert.pem')], { stdin }));
    const rules = ['--age', recipient, '--encrypted-regex', '^data$', '--filename-override', 'sops.json'];
    await writeFile(file('sops.json'), await stockOutput('sops', ['encrypt', ...rules], { stdin }));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each(
    (['value', 'entry', 'name'] as const).flatMap((of) => [
      { of, to: 'SOPS file', from: 'sealed.yaml' },
      { of, to: 'SealedSecret', from: 'sops.json' },
    ]),
  )('is not written when it has another $of: to a $to', async ({ of, from, to }) => {
    const args = to === 'SOPS file' ? ['--age', recipient] : ['--cert', 'cert.pem'];
    const before = [(await readdir(folder)).toSorted(), await readFile(file(from))];
    fault.of = of;
    for (const target of [[from], ['-i', from]]) {
      const { exit, stdout, stderr } = await run([...args, ...target]);
      expect([exit, stdout, stderr]).toEqual([2, '', expect.stringContaining('SOTTO-CLI-115')]);
      expect(stderr).not.toMatch(/mutated|bXV0YXRl/);
    }
    expect([(await readdir(folder)).toSorted(), await readFile(file(from))]).toEqual(before);
    const needles = needlesOf(FILE_CANARIES);
    for (const { bytes } of await filesBelow(folder)) expect(scanBytes(bytes, needles).valuesFound).toBe(0);
    fault.of = 'none';
    expect((await run([...args, '-i', from])).exit).toBe(0);
  });
});
