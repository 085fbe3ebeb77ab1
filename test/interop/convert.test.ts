import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { needlesOf, scanBytes } from '../../src/demo/memory-scan.ts';
import { sealingCertificate } from '../../src/sealed/certificate.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { SCOPES, sealLabel } from '../../src/sealed/scope.ts';
import { sealValue } from '../../src/sealed/seal.ts';
import { readManifests } from '../../src/yaml/manifest.ts';
import { sotto } from '../cli/session.ts';
import { canary, FILE_CANARIES } from '../harness/canary-values.ts';
import { startCommand } from '../harness/cli.ts';
import { filesBelow } from '../harness/leak-places.ts';
import { describeReal } from '../harness/real.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { sealedManifest } from '../sealed/material.ts';

const SECRET = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'db', namespace: 'team', labels: { app: 'db' } },
  type: 'kubernetes.io/basic-auth',
  data: { username: 'AAEC/w==', password: 'cAo=', empty: '' },
};

function pin(fingerprint: string): string {
  return `apiVersion: sotto.dev/v1alpha1\nkind: Config\nsealing: { certificate: "${fingerprint}" }\nsyncs: []\n`;
}

describeReal('sotto convert', ['kubeseal', 'sops', 'age-keygen'], () => {
  let folder = '';
  let recipient = '';
  let stranger = '';
  const file = (name: string): string => join(folder, name);
  const run = (args: readonly string[], stdin?: string) =>
    sotto(['convert', ...args], { cwd: folder, env: { HOME: folder }, ...(stdin === undefined ? {} : { stdin }) });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sotto-convert-'));
    const made = await makeSealingCertificate({ now: new Date(), modulusBits: 2048 });
    const pair = await newAgeKeyPair();
    recipient = pair.recipient;
    stranger = (await newAgeKeyPair()).recipient;
    await writeFile(file('cert.pem'), made.certificatePem);
    await writeFile(file('tls.key'), made.keyPem.reveal(), { mode: 0o600 });
    await writeFile(file('age.txt'), `${pair.identity}\n`, { mode: 0o600 });
    const rules = ['--age', recipient, '--encrypted-regex', '^(data|stringData)$', '--filename-override', 'db.json'];
    await writeFile(
      file('db.json'),
      await stockOutput('sops', ['encrypt', ...rules], { stdin: JSON.stringify(SECRET) }),
    );
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each(SCOPES)('a file of sops becomes what kubeseal opens, scope %s', async (scope) => {
    const args = ['--cert', 'cert.pem', '--key-file', 'age.txt', '--key-file', 'tls.key', '--scope', scope, 'db.json'];
    const { exit, stdout, stderr } = await run(args);
    expect([exit, stderr]).toEqual([0, '']);
    const unseal = ['--recovery-unseal', '--recovery-private-key', file('tls.key')];
    const opened = parseJson((await stockOutput('kubeseal', unseal, { stdin: stdout })).toString());
    expect(memberAt(opened, 'data')).toEqual({ ...SECRET.data, empty: null });
    expect(stringAt(opened, 'type')).toBe(SECRET.type);
  });

  test('what kubeseal sealed becomes a file that sops opens, in place, and back again', async () => {
    const kubeseal = ['--cert', file('cert.pem'), '-o', 'yaml'];
    const sealed = await stockOutput('kubeseal', kubeseal, { stdin: JSON.stringify(SECRET) });
    await writeFile(file('work.yaml'), sealed);
    const keys = ['--key-file', 'age.txt', '--key-file', 'tls.key'];
    const converted = await run([...keys, '--age', recipient, '-i', 'work.yaml']);
    expect([converted.exit, converted.stdout, converted.stderr]).toEqual([0, '', '']);
    const text = await readFile(file('work.yaml'), 'utf8');
    expect(text).toContain('ENC[');
    expect(text).toContain('name: db');
    expect(text).not.toContain('AAEC');
    const env = { SOPS_AGE_KEY_FILE: file('age.txt') };
    const clear = (await stockOutput('sops', ['decrypt', file('work.yaml')], { env })).toString();
    expect(memberAt(readManifests(clear, 'work.yaml')[0]?.value ?? null, 'data')).toEqual(SECRET.data);
    expect((await run([...keys, '--cert', 'cert.pem', '-i', 'work.yaml'])).exit).toBe(0);
    const back = await stockOutput('kubeseal', ['--recovery-unseal', '--recovery-private-key', file('tls.key')], {
      stdin: await readFile(file('work.yaml')),
    });
    expect(memberAt(parseJson(back.toString()), 'data')).toEqual({ ...SECRET.data, empty: null });
  });

  test('what cannot be proved is not written', async () => {
    const sealed = await stockOutput('kubeseal', ['--cert', file('cert.pem'), '-o', 'yaml'], {
      stdin: JSON.stringify(SECRET),
    });
    await writeFile(file('stays.yaml'), sealed);
    const keys = ['--key-file', 'age.txt', '--key-file', 'tls.key'];
    const refused = await run([...keys, '--age', stranger, '-i', 'stays.yaml']);
    expect([refused.exit, refused.stderr]).toEqual([4, expect.stringContaining('SOTTO-CLI-114')]);
    expect(await readFile(file('stays.yaml'))).toEqual(sealed);
    const noKey = await run(['--key-file', 'age.txt', '--age', recipient, '-i', 'stays.yaml']);
    expect([noKey.exit, noKey.stderr]).toEqual([4, expect.stringContaining('SOTTO-CLI-008')]);
    const noCert = await run([...keys, 'db.json']);
    expect([noCert.exit, noCert.stderr]).toEqual([2, expect.stringContaining('--cert is missing')]);
    const half = await run(['--key-file', 'age.txt', '--cert', 'cert.pem', 'db.json']);
    expect([half.exit, half.stderr]).toEqual([0, expect.stringContaining('compared with the session keys')]);
  });

  test('the form of 2018 and templates become what the controller makes of them', async () => {
    const now = new Date();
    const certificate = sealingCertificate(await readFile(file('cert.pem')), now);
    const label = sealLabel({ scope: 'strict', namespace: 'team', name: 'db' });
    const value = (text: string): string => sealValue(Sensitive.copyOf(Buffer.from(text)), certificate, label);
    const template = {
      data: { url: 'db://{{ .user }}:{{ .password }}@x', auth: '{{ .password | b64enc }}', clear: 'x' },
    };
    const encryptedData = { user: value('alice'), password: value('p\n') };
    const whole = value(JSON.stringify({ ...SECRET, metadata: { name: 'other' } }));
    const cases = [
      [sealedManifest({ encryptedData, template }), 'Opaque'],
      [sealedManifest({ encryptedData: {}, data: whole }), SECRET.type],
    ] as const;
    const texts = { user: 'alice', password: 'p\n', url: 'db://alice:p\n@x', auth: 'cAo=', clear: 'x' };
    const expected = [
      Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
      SECRET.data,
    ];
    for (const [index, [manifest, type]] of cases.entries()) {
      await writeFile(file('form.json'), JSON.stringify(manifest));
      const keys = ['--key-file', 'age.txt', '--key-file', 'tls.key'];
      const { exit, stdout, stderr } = await run([...keys, '--age', recipient, 'form.json']);
      expect([exit, stderr]).toEqual([0, '']);
      await writeFile(file('opened.json'), stdout);
      const env = { SOPS_AGE_KEY_FILE: file('age.txt') };
      const clear = parseJson((await stockOutput('sops', ['decrypt', file('opened.json')], { env })).toString());
      expect(memberAt(clear, 'data')).toEqual(expected[index]);
      expect([stringAt(clear, 'type') ?? 'Opaque', memberAt(clear, 'metadata', 'name')]).toEqual([type, 'db']);
      for (const text of ['alice', 'YWxpY2U=', 'AAEC']) expect(stdout).not.toContain(text);
    }
  });

  test('takes no other certificate than the one that sotto.yaml pins', async () => {
    const { fingerprint } = sealingCertificate(await readFile(file('cert.pem')), new Date());
    const pinned = file('pinned');
    await mkdir(join(pinned, 'deploy'), { recursive: true });
    const path = join(pinned, 'deploy', 'db.json');
    const before = await readFile(file('db.json'));
    await writeFile(path, before);
    const args = ['--cert', file('cert.pem'), '--key-file', file('age.txt'), '--key-file', file('tls.key'), '-i', path];
    const inside = () => sotto(['convert', ...args], { cwd: join(pinned, 'deploy'), env: { HOME: folder } });
    await writeFile(join(pinned, 'sotto.yaml'), pin('ab'.repeat(32)));
    const refused = await inside();
    expect([refused.exit, refused.stdout, refused.stderr]).toEqual([2, '', expect.stringContaining('SOTTO-SEAL-021')]);
    expect(await readFile(path)).toEqual(before);
    await writeFile(join(pinned, 'sotto.yaml'), pin(fingerprint));
    expect((await inside()).exit).toBe(0);
    expect(await readFile(path, 'utf8')).toContain('SealedSecret');
  });

  test('leaves no value in any file: converted, refused, or killed in the middle', async () => {
    const secret = { ...SECRET, data: { password: Buffer.from(canary(3)).toString('base64') } };
    const kubeseal = ['--cert', file('cert.pem'), '-o', 'yaml'];
    const sealed = await stockOutput('kubeseal', kubeseal, { stdin: JSON.stringify(secret) });
    const home = file('home');
    const env = { HOME: home, TMPDIR: join(home, 'tmp') };
    await mkdir(env.TMPDIR, { recursive: true });
    const path = join(home, 'work.yaml');
    const needles = needlesOf(FILE_CANARIES);
    const found = async (): Promise<number> =>
      (await filesBelow(home)).reduce((sum, { bytes }) => sum + scanBytes(bytes, needles).valuesFound, 0);
    const keys = ['--key-file', file('age.txt'), '--key-file', file('tls.key')];
    const outcomes: (number | null)[] = [];
    for (const [to, killAfterMs] of [[recipient], [stranger], [recipient, 300], [recipient, 500], [recipient, 700]] as [
      string,
      number?,
    ][]) {
      await writeFile(path, sealed);
      await using command = startCommand(['convert', ...keys, '--age', to, '-i', path], env);
      if (killAfterMs !== undefined) {
        await sleep(killAfterMs);
        await command.end('SIGKILL');
      }
      outcomes.push(await command.ended());
      expect(await found()).toBe(0);
    }
    expect(outcomes.slice(0, 2)).toEqual([0, 4]);
    // It would be found if it were there.
    await writeFile(join(env.TMPDIR, 'control'), canary(3));
    expect(await found()).toBe(1);
  });

  test('what does not reach the Secret is named', async () => {
    const sealed = (await stockOutput('kubeseal', ['--cert', file('cert.pem')], { stdin: JSON.stringify(SECRET) }))
      .toString()
      .replace('"metadata": {', '"metadata": { "annotations": { "argocd.argoproj.io/sync-wave": "1" },');
    const keys = ['--key-file', 'age.txt', '--key-file', 'tls.key', '--age', recipient, '--filename', 'x.json', '-'];
    const { exit, stderr } = await run(keys, sealed);
    expect([exit, stderr]).toEqual([0, 'note: of db itself, not of its Secret: argocd.argoproj.io/sync-wave\n']);
  });
});
