import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { memberAt, parseJson } from '../../src/core/json.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { type SealingCertificate, sealingCertificate } from '../../src/sealed/certificate.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { readSecretManifests } from '../../src/sealed/plain-secret.ts';
import type { Scope } from '../../src/sealed/scope.ts';
import { sealLabel } from '../../src/sealed/scope.ts';
import { sealSecret, sealValue } from '../../src/sealed/seal.ts';
import { parseSealingKey, type SealingKey } from '../../src/sealed/sealing-key.ts';
import { unsealAll } from '../../src/sealed/unseal.ts';
import { writeSealedSecret } from '../../src/sealed/write.ts';
import { sotto } from '../cli/session.ts';
import { namespaceForTest } from '../harness/control-plane.ts';
import { describeReal } from '../harness/real.ts';
import { startSealedSecretsController } from '../harness/sealed-secrets-controller.ts';
import { stockOutput } from '../harness/stock.ts';
import { bytesOf, parse, sealedManifest } from '../sealed/material.ts';

const SCOPES: readonly Scope[] = ['strict', 'namespace-wide', 'cluster-wide'];
const SECRET = `
apiVersion: v1
kind: Secret
metadata: { name: db, namespace: team, labels: { app: db } }
type: Opaque
data: { binary: AAEC/w== }
stringData: { password: "p\\n", empty: "" }
`;
/** The manifest without what differs at every sealing. */
function structure(text: string): string {
  return text.replaceAll(/Ag[A-D][A-Za-z0-9+/=]{600,}/g, 'SEALED');
}

const DATA = { binary: 'AAEC/w==', password: 'cAo=', empty: '' };

describeReal('kubeseal', ['kubeseal'], () => {
  let folder = '';
  let key: SealingKey;
  let certificate: SealingCertificate;
  const file = (name: string): string => join(folder, name);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sotto-sealed-'));
    const now = new Date();
    const made = await makeSealingCertificate({ now });
    key = parseSealingKey({ key: made.keyPem.reveal(), crt: bytesOf(made.certificatePem) });
    certificate = sealingCertificate(made.certificatePem, now);
    await writeFile(file('tls.crt'), made.certificatePem);
    await writeFile(file('tls.key'), made.keyPem.reveal(), { mode: 0o600 });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each(SCOPES)('sotto opens what kubeseal sealed to sotto’s certificate in scope %s', async (scope) => {
    const args = ['--cert', file('tls.crt'), '--scope', scope];
    const sealed = await stockOutput('kubeseal', args, { stdin: SECRET });
    const opened = await unsealAll(parse(parseJson(sealed.toString())), [key]);
    const data = [...opened].map(([name, { value }]) => [name, Buffer.from(value.reveal()).toString('base64')]);
    expect(Object.fromEntries(data)).toEqual(DATA);
  });

  test.each<[Scope, string[]]>([
    ['strict', ['--name', 'db', '-n', 'team']],
    ['namespace-wide', ['-n', 'team']],
    ['cluster-wide', []],
  ])('sotto opens a raw value of scope %s', async (scope, binding) => {
    const args = ['--raw', '--cert', file('tls.crt'), '--scope', scope, ...binding];
    const text = (await stockOutput('kubeseal', args, { stdin: 'raw value\n' })).toString();
    const annotations = { [`sealedsecrets.bitnami.com/${scope}`]: 'true' };
    const metadata = { name: 'db', namespace: 'team', annotations };
    const opened = await unsealAll(parse(sealedManifest({ encryptedData: { a: text } }, metadata)), [key]);
    expect(Buffer.from(opened.get('a')?.value.reveal() ?? []).toString()).toBe('raw value\n');
  });

  test.each(SCOPES)('kubeseal opens what sotto sealed in scope %s, as YAML and as JSON', async (scope) => {
    const [secret] = readSecretManifests(bytesOf(SECRET), 'db.yaml');
    if (secret === undefined) throw new Error('no Secret');
    const manifest = sealSecret(secret, certificate, { scope });
    for (const format of ['yaml', 'json'] as const) {
      const args = ['--recovery-unseal', '--recovery-private-key', file('tls.key')];
      const opened = await stockOutput('kubeseal', args, { stdin: writeSealedSecret(manifest, format) });
      const result = parseJson(opened.toString());
      // An empty value is null in what kubeseal prints.
      expect(memberAt(result, 'data')).toEqual({ ...DATA, empty: null });
      expect(memberAt(result, 'metadata')).toMatchObject({ name: 'db', namespace: 'team', labels: { app: 'db' } });
      expect(memberAt(result, 'type')).toBe('Opaque');
    }
  });

  test.each(SCOPES)('sotto’s manifest and kubeseal’s differ in nothing but the ciphertext, scope %s', async (scope) => {
    const args = ['--cert', file('tls.crt'), '--scope', scope, '-o', 'yaml'];
    const theirs = (await stockOutput('kubeseal', args, { stdin: SECRET })).toString();
    const [secret] = readSecretManifests(bytesOf(SECRET), 'db.yaml');
    if (secret === undefined) throw new Error('no Secret');
    const ours = writeSealedSecret(sealSecret(secret, certificate, { scope }), 'yaml');
    expect(load(structure(ours))).toEqual(load(structure(theirs)));
    expect(structure(ours).replaceAll("'", '"')).toBe(structure(theirs));
  });

  test.each(SCOPES)(
    'kubeseal opens a file of its own into which sotto merged other values, scope %s',
    async (scope) => {
      const args = ['--cert', file('tls.crt'), '--scope', scope, '-o', 'yaml'];
      await writeFile(file('theirs.yaml'), await stockOutput('kubeseal', args, { stdin: SECRET }));
      const merge = ['seal', '--raw', '--cert', 'tls.crt', '--merge-into', 'theirs.yaml', '--item', 'ours'];
      const { exit, stderr } = await sotto(merge, { cwd: folder, stdin: 'x' });
      expect([exit, stderr]).toEqual([0, expect.stringContaining('ours sealed')]);
      const unseal = ['--recovery-unseal', '--recovery-private-key', file('tls.key')];
      const opened = await stockOutput('kubeseal', unseal, { stdin: await readFile(file('theirs.yaml')) });
      expect(memberAt(parseJson(opened.toString()), 'data')).toEqual({ ...DATA, empty: null, ours: 'eA==' });
    },
  );

  test('items of several keys in one object open with all of them at hand, here and there', async () => {
    const now = new Date();
    const newer = await makeSealingCertificate({ now, modulusBits: 2048 });
    await writeFile(file('newer.key'), newer.keyPem.reveal(), { mode: 0o600 });
    const label = sealLabel({ scope: 'strict', namespace: 'team', name: 'db' });
    const by = (pem: SealingCertificate, text: string): string =>
      sealValue(Sensitive.copyOf(bytesOf(text)), pem, label);
    const encryptedData = { old: by(certificate, 'a'), new: by(sealingCertificate(newer.certificatePem, now), 'b') };
    const stdin = writeSealedSecret(sealedManifest({ encryptedData }), 'json');
    const expected = { old: 'YQ==', new: 'Yg==' };
    const keys = `${file('newer.key')},${file('tls.key')}`;
    const theirs = await stockOutput('kubeseal', ['--recovery-unseal', '--recovery-private-key', keys], { stdin });
    expect(memberAt(parseJson(theirs.toString()), 'data')).toEqual(expected);
    const unseal = (...files: string[]) =>
      sotto(['unseal', ...files.flatMap((each) => ['--key-file', each]), '-o', 'json', '-'], { cwd: folder, stdin });
    const ours = await unseal('newer.key', 'tls.key');
    expect(memberAt(parseJson(ours.stdout), 'data')).toEqual(expected);
    const half = await unseal('newer.key');
    expect([half.exit, half.stdout, half.stderr]).toEqual([4, '', expect.stringContaining('"key":"old"')]);
  });

  test('sotto opens a file of its own into which kubeseal merged other values', async () => {
    const label = sealLabel({ scope: 'strict', namespace: 'team', name: 'db' });
    const text = sealValue(Sensitive.copyOf(bytesOf('ours')), certificate, label);
    const own = sealedManifest({
      encryptedData: { ours: text },
      template: { metadata: { labels: {}, annotations: {} } },
    });
    await writeFile(file('merged.json'), writeSealedSecret(own, 'json'));
    const stdin = SECRET.replace(', labels: { app: db }', '');
    await stockOutput('kubeseal', ['--cert', file('tls.crt'), '--merge-into', file('merged.json')], { stdin });
    const merged = parse(parseJson(await readFile(file('merged.json'), 'utf8')));
    const opened = await unsealAll(merged, [key]);
    expect([...opened.keys()].toSorted()).toEqual(['binary', 'empty', 'ours', 'password']);
  });
});

describeReal('the SealedSecrets controller', ['kube-apiserver', 'etcd', 'sealed-secrets-controller'], () => {
  test('opens what sotto sealed to its certificate', async () => {
    using own = await namespaceForTest([]);
    await using controller = await startSealedSecretsController(own.plane, own.namespace);
    const certificate = sealingCertificate(controller.certificatePem, new Date());
    const [secret] = readSecretManifests(bytesOf(SECRET.replace('team', own.namespace)), 'db.yaml');
    if (secret === undefined) throw new Error('no Secret');
    const text = writeSealedSecret(sealSecret(secret, certificate), 'yaml');
    const verified = await fetch(`${controller.url}/v1/verify`, { method: 'POST', body: text });
    expect(verified.status).toBe(200);
  });
});
