import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { SCOPES } from '../../src/sealed/scope.ts';
import { readManifests } from '../../src/yaml/manifest.ts';
import { sotto } from '../cli/session.ts';
import { describeReal } from '../harness/real.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';

const SECRET = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'db', namespace: 'team', labels: { app: 'db' } },
  type: 'kubernetes.io/basic-auth',
  data: { username: 'AAEC/w==', password: 'cAo=', empty: '' },
};

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

  test('what does not reach the Secret is named', async () => {
    const sealed = (await stockOutput('kubeseal', ['--cert', file('cert.pem')], { stdin: JSON.stringify(SECRET) }))
      .toString()
      .replace('"metadata": {', '"metadata": { "annotations": { "argocd.argoproj.io/sync-wave": "1" },');
    const keys = ['--key-file', 'age.txt', '--key-file', 'tls.key', '--age', recipient, '--filename', 'x.json', '-'];
    const { exit, stderr } = await run(keys, sealed);
    expect([exit, stderr]).toEqual([0, 'note: of db itself, not of its Secret: argocd.argoproj.io/sync-wave\n']);
  });
});
