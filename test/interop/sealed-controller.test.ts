import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  arrayAt,
  isJsonObject,
  type Json,
  type JsonObject,
  memberAt,
  parseJson,
  stringAt,
} from '../../src/core/json.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { sealingCertificate } from '../../src/sealed/certificate.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { type Scope, sealLabel } from '../../src/sealed/scope.ts';
import { sealValue } from '../../src/sealed/seal.ts';
import { sotto } from '../cli/session.ts';
import { namespaceForTest, type TestNamespace } from '../harness/control-plane.ts';
import { describeReal } from '../harness/real.ts';
import { type SealedSecretsController, startSealedSecretsController } from '../harness/sealed-secrets-controller.ts';
import { stockOutput } from '../harness/stock.ts';
import { eventually } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'kubeseal', 'sealed-secrets-controller'] as const;
const SCOPES: readonly Scope[] = ['strict', 'namespace-wide', 'cluster-wide'];
const STOCK_LABEL = 'sealedsecrets.bitnami.com/sealed-secrets-key';

describeReal('the SealedSecrets controller and sotto', TOOLS, () => {
  let own: TestNamespace;
  let controller: SealedSecretsController;
  let folder = '';
  const file = (name: string): string => join(folder, name);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sotto-controller-'));
    own = await namespaceForTest([]);
    controller = await startSealedSecretsController(own.plane, own.namespace);
    const selector = encodeURIComponent(`${STOCK_LABEL}=active`);
    const keys = await own.plane.admin('GET', `/api/v1/namespaces/${own.namespace}/secrets?labelSelector=${selector}`);
    const items = arrayAt(keys.body, 'items').map((item) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      ...(item as object),
    }));
    await writeFile(file('keys.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), { mode: 0o600 });
    await writeFile(file('cert.pem'), controller.certificatePem);
  });
  afterAll(async () => {
    await controller.stop();
    own[Symbol.dispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const collection = (): string => `/apis/bitnami.com/v1alpha1/namespaces/${own.namespace}/sealedsecrets`;
  const apply = async (manifest: Json): Promise<void> => {
    const { status, body } = await own.plane.admin('POST', collection(), manifest as JsonObject);
    if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
  };
  /** The Secret that the controller makes of it. */
  const theirs = async (manifest: Json): Promise<JsonObject> => {
    await apply(manifest);
    const name = stringAt(manifest, 'metadata', 'name') ?? '';
    const secret = await eventually(`Secret ${name}`, async () => {
      const { status, body } = await own.plane.admin('GET', `/api/v1/namespaces/${own.namespace}/secrets/${name}`);
      return status === 200 ? body : undefined;
    });
    return facts(secret);
  };
  const unsealed = (manifest: Json) =>
    sotto(['unseal', '--key-file', 'keys.json', '-n', own.namespace, '-o', 'json', '-'], {
      cwd: folder,
      stdin: JSON.stringify(manifest),
    });
  const ours = async (manifest: Json): Promise<JsonObject> => {
    const { exit, stdout, stderr } = await unsealed(manifest);
    if (exit !== 0) throw new Error(stderr);
    return facts(parseJson(stdout));
  };
  /** What the controller says of one that it does not open. */
  const complaint = async (manifest: Json): Promise<string> => {
    await apply(manifest);
    const path = `${collection()}/${stringAt(manifest, 'metadata', 'name') ?? ''}`;
    return eventually('a status', async () => {
      const { body } = await own.plane.admin('GET', path);
      const condition = arrayAt(body, 'status', 'conditions').find((each) => stringAt(each, 'type') === 'Synced');
      return stringAt(condition ?? null, 'status') === 'False' ? stringAt(condition ?? null, 'message') : undefined;
    });
  };
  const certificate = () => sealingCertificate(controller.certificatePem, new Date());
  const value = (text: string | Uint8Array, name: string, scope: Scope = 'strict', namespace = own.namespace): string =>
    sealValue(Sensitive.copyOf(Buffer.from(text)), certificate(), sealLabel({ scope, namespace, name }));
  const manifestOf = (name: string, spec: JsonObject, annotations: JsonObject = {}): JsonObject => ({
    apiVersion: 'bitnami.com/v1alpha1',
    kind: 'SealedSecret',
    metadata: { name, namespace: own.namespace, annotations },
    spec,
  });

  const both = async (manifest: JsonObject): Promise<void> => {
    expect(await ours(manifest)).toEqual(await theirs(manifest));
  };

  test.each(SCOPES)('sotto seal: the controller makes the Secret of it, scope %s', async (scope) => {
    const name = `from-sotto-${scope}`;
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: own.namespace, labels: { app: 'db' }, annotations: { note: 'x' } },
      type: 'kubernetes.io/basic-auth',
      data: { username: 'AAEC/w==' },
      stringData: { password: 'p\n', empty: '' },
    };
    const sealed = await sotto(['seal', '--cert', 'cert.pem', '--scope', scope, '-o', 'json', '-'], {
      cwd: folder,
      stdin: JSON.stringify(secret),
    });
    const manifest = parseJson(sealed.stdout);
    const live = await theirs(manifest);
    expect(live).toMatchObject({
      type: 'kubernetes.io/basic-auth',
      labels: { app: 'db' },
      data: { username: 'AAEC/w==', password: 'cAo=', empty: '' },
    });
    expect(await ours(manifest)).toEqual(live);
  });

  test.each(SCOPES)('kubeseal: both make the same Secret of it, scope %s', async (scope) => {
    const name = `from-kubeseal-${scope}`;
    const metadata = { name, namespace: own.namespace, labels: { a: 'b' } };
    const stdin = JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata, stringData: { 'a.b-c_d': 'ü\n' } });
    const args = ['--cert', controller.certificatePath, '--scope', scope];
    const manifest = parseJson((await stockOutput('kubeseal', args, { stdin })).toString());
    expect(await ours(manifest)).toEqual(await theirs(manifest));
  });

  test('edge cases: both make the same Secret of each', async () => {
    const dockerConfig = '{"auths":{}}';
    const template = { data: { url: 'postgres://{{ .user }}:{{ index . "pass-word" }}@db', clear: 'x' } };
    await both(manifestOf('empty', { encryptedData: {} }));
    await both(
      manifestOf('templated', {
        encryptedData: {
          user: value('alice', 'templated'),
          'pass-word': value([0, 255, 10] as unknown as Uint8Array, 'templated'),
        },
        template,
      }),
    );
    await both(
      manifestOf('docker', {
        encryptedData: { '.dockerconfigjson': value(dockerConfig, 'docker') },
        template: { type: 'kubernetes.io/dockerconfigjson', immutable: true, metadata: { labels: { a: 'b' } } },
      }),
    );
    // Null in template.data is not here: the API server drops it on the way in.
    // Cluster-wide wins over namespace-wide; only the text true counts.
    const wide = 'sealedsecrets.bitnami.com/cluster-wide';
    const narrow = 'sealedsecrets.bitnami.com/namespace-wide';
    const cluster = { a: value('x', 'any', 'cluster-wide', 'any') };
    await both(manifestOf('widest', { encryptedData: cluster }, { [wide]: 'true', [narrow]: 'true' }));
    await both(manifestOf('false-wide', { encryptedData: { a: value('x', 'false-wide') } }, { [wide]: 'false' }));
    // The names of the template do not count.
    await both(
      manifestOf('outer', {
        encryptedData: { a: value('x', 'outer') },
        template: { metadata: { name: 'inner', namespace: 'elsewhere' } },
      }),
    );
    // One name in both: the sealed value counts, for other entries too; a clear entry is seen as it stands.
    await both(
      manifestOf('both', {
        encryptedData: { both: value('sealed', 'both'), user: value('alice', 'both') },
        template: {
          data: { both: 'clear {{ .user }}', sees: '<{{ .both }}>', raw: '{{ .user }}', shows: '{{ .raw }}' },
        },
      }),
    );
    await both(
      manifestOf('held', {
        encryptedData: { a: value('x', 'held') },
        template: { metadata: { finalizers: ['example.com/hold'], annotations: { note: 'kept' } } },
      }),
    );
    const whole = { metadata: { labels: { old: 'form' } }, type: 'Opaque', data: { a: 'eA==', b: 'AP8=' } };
    const legacy = value(JSON.stringify({ apiVersion: 'v1', kind: 'Secret', ...whole }), 'legacy');
    await both(manifestOf('legacy', { data: legacy, encryptedData: {} }));
    const anywhere = value(
      JSON.stringify({ apiVersion: 'v1', kind: 'Secret', ...whole }),
      'any',
      'cluster-wide',
      'any',
    );
    await both(manifestOf('legacy-wide', { data: anywhere, encryptedData: {} }, { [wide]: 'true' }));
  });

  test('what does not open there does not open here, and here with the reason', async () => {
    const other = await makeSealingCertificate({ now: new Date() });
    const foreign = sealValue(
      Sensitive.copyOf(Buffer.from('x')),
      sealingCertificate(other.certificatePem, new Date()),
      sealLabel({ scope: 'strict', namespace: own.namespace, name: 'foreign' }),
    );
    const good = value('x', 'changed');
    const bytes = Buffer.from(good, 'base64');
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    const wide = { 'sealedsecrets.bitnami.com/namespace-wide': 'true' };
    const cases: readonly (readonly [JsonObject, string, RegExp])[] = [
      [
        manifestOf('misnamed', { encryptedData: { a: value('x', 'db') }, template: { metadata: { name: 'db' } } }),
        'SOTTO-SEAL-001',
        /set metadata\.name to db/,
      ],
      [
        manifestOf('misplaced', { encryptedData: { a: value('x', 'misplaced', 'strict', 'other') } }),
        'SOTTO-SEAL-001',
        /sealed for another key, or the name/,
      ],
      [
        manifestOf('misscoped', { encryptedData: { a: value('x', 'misscoped') } }, wide),
        'SOTTO-SEAL-001',
        /remove the annotation/,
      ],
      [manifestOf('foreign', { encryptedData: { a: foreign } }), 'SOTTO-SEAL-001', /another key/],
      [
        manifestOf('changed', { encryptedData: { a: bytes.toString('base64') } }),
        'SOTTO-SEAL-002',
        /changed after it was sealed/,
      ],
      [manifestOf('cut', { encryptedData: { a: good.slice(0, 400) } }), 'SOTTO-SEAL-005', /too short/],
      [
        manifestOf('tail', { encryptedData: { a: value('x'.repeat(40), 'tail').slice(0, -8) } }),
        'SOTTO-SEAL-002',
        /changed after it was sealed/,
      ],
      [manifestOf('short', { encryptedData: { a: 'AgA=' } }), 'SOTTO-SEAL-005', /too short/],
      [
        manifestOf('blank', { encryptedData: { a: `${good.slice(0, 40)} ${good.slice(40)}` } }),
        'SOTTO-SEAL-004',
        /base64/,
      ],
      [manifestOf('mixed', { encryptedData: { a: 'AgA=', b: foreign } }), 'SOTTO-SEAL-005', /"key":"a, b"/],
      [manifestOf('half', { encryptedData: { a: value('x', 'half'), b: foreign } }), 'SOTTO-SEAL-001', /"key":"b"/],
    ];
    for (const [manifest, code, why] of cases) {
      const { exit, stdout, stderr } = await unsealed(manifest);
      expect([exit, stdout, stderr], stringAt(manifest, 'metadata', 'name')).toEqual([
        4,
        '',
        expect.stringContaining(code),
      ]);
      expect(stderr).toMatch(why);
      expect(await complaint(manifest)).toMatch(/no key could decrypt secret|illegal base64/);
    }
    const large = { encryptedData: { a: Buffer.alloc(1_200_000, 1).toString('base64') } };
    const { exit, stderr } = await unsealed(manifestOf('large', large));
    expect([exit, stderr]).toEqual([2, expect.stringContaining('SOTTO-SEAL-008')]);
    const refused = await own.plane.admin('POST', collection(), manifestOf('large', large));
    expect(refused.status).toBeGreaterThanOrEqual(400);
  });
});

/** What sotto and the controller have to agree on; the owner is the controller's alone. */
function facts(secret: Json): JsonObject {
  const metadata = memberAt(secret, 'metadata') ?? null;
  const data = memberAt(secret, 'data');
  return {
    name: stringAt(metadata, 'name') ?? null,
    namespace: stringAt(metadata, 'namespace') ?? null,
    labels: memberAt(metadata, 'labels') ?? {},
    annotations: memberAt(metadata, 'annotations') ?? {},
    finalizers: memberAt(metadata, 'finalizers') ?? [],
    type: stringAt(secret, 'type') ?? 'Opaque',
    immutable: memberAt(secret, 'immutable') ?? false,
    data: isJsonObject(data) ? data : {},
  };
}
