import { randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  arrayAt,
  type Json,
  type JsonObject,
  memberAt,
  parseJson,
  stringAt,
  stringifyJson,
} from '../../src/core/json.ts';
import { type ControlPlane, type ControlPlaneAccess, startControlPlane } from '../../src/demo/control-plane.ts';
import { kindAndName, kustomizeBuild, objectOf, pathOf, podTemplate, ROOT } from '../harness/deploy.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { eventually } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'kube-controller-manager', 'kustomize'] as const;

/** The strictest level, enforced on Pods and warned about on everything that makes Pods. */
const RESTRICTED = Object.fromEntries(
  ['enforce', 'warn', 'audit'].map((mode) => [`pod-security.kubernetes.io/${mode}`, 'restricted']),
);
const NAMESPACES = ['team-app', 'team-app-sotto'];
const BUILDS = [
  'deploy',
  'deploy/overlays/hardened',
  'deploy/overlays/split',
  'deploy/overlays/renderer-pod',
  'deploy/examples/sidecar',
];

interface Answer {
  readonly status: number;
  readonly warnings: readonly string[];
  readonly body: Json;
}

describeReal('deploy/ on a real API server that enforces the level restricted', TOOLS, () => {
  let plane: ControlPlane;
  let folder: string;
  beforeAll(async () => {
    plane = await startControlPlane({
      programs: {
        'kube-apiserver': toolPath('kube-apiserver'),
        etcd: toolPath('etcd'),
        'kube-controller-manager': toolPath('kube-controller-manager'),
      },
      controllerManager: true,
    });
    folder = await mkdtemp(join(tmpdir(), 'sotto-deploy-'));
    await cp(join(ROOT, 'deploy'), join(folder, 'deploy'), { recursive: true });
  });
  afterAll(async () => {
    await plane.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** As `kubectl apply --server-side`: what it says besides the answer counts. */
  const apply = (object: JsonObject, query = ''): Promise<Answer> =>
    send(plane.access, 'PATCH', `${pathOf(object)}?fieldManager=kubectl&force=true${query}`, object);

  test.each(BUILDS)('%s is built by stock kustomize and taken without a warning, its Pod too', async (source) => {
    const suffix = randomBytes(4).toString('hex');
    for (const namespace of NAMESPACES) await plane.createNamespace(`${namespace}-${suffix}`, RESTRICTED);
    const objects = (await kustomizeBuild(join(folder, source))).map((object) => movedTo(object, suffix));
    for (const object of objects) {
      const { status, warnings } = await apply(object);
      expect([kindAndName(object), status, warnings]).toEqual([kindAndName(object), 201, []]);
    }
    const deployments = objects.filter(({ kind }) => kind === 'Deployment');
    const namespace = stringAt(deployments[0], 'metadata', 'namespace') ?? '';
    const pods = await eventually('the controller has made the Pods', async () => {
      const { body } = await plane.admin('GET', `/api/v1/namespaces/${namespace}/pods`);
      const items = arrayAt(body, 'items');
      return items.length === deployments.length ? items : undefined;
    });
    // One token, for the agent: what runs kustomize in a Pod of its own has none.
    const volumes = pods.flatMap((pod) => arrayAt(pod, 'spec', 'volumes'));
    expect(volumes.filter((volume) => memberAt(volume, 'projected') !== undefined)).toHaveLength(1);
  });

  test('a Pod of the base that asks for more is refused: the level is really enforced', async () => {
    const template = podTemplate(await kustomizeBuild(join(folder, 'deploy')));
    await plane.createNamespace('refuses', RESTRICTED);
    await plane.admin('POST', '/api/v1/namespaces/refuses/serviceaccounts', { metadata: { name: 'sotto' } });
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'agent', namespace: 'refuses' },
      spec: { ...objectOf(template['spec']), hostNetwork: true },
    };
    const { status, body } = await apply(pod, '&dryRun=All');
    expect([status, stringAt(body, 'message')]).toEqual([403, expect.stringContaining('restricted')]);
  });

  test('the component for people who seal adds its Role and nothing else, and the API server takes it', async () => {
    const overlay = join(folder, 'with-certificate');
    await mkdir(overlay);
    const text = 'resources: [ ../deploy ]\ncomponents: [ ../deploy/components/certificate ]\n';
    await writeFile(join(overlay, 'kustomization.yaml'), text);
    const names = async (source: string) =>
      (await kustomizeBuild(join(folder, source))).map((each) => kindAndName(each));
    const before = await names('deploy');
    expect((await names('with-certificate')).filter((name) => !before.includes(name))).toEqual([
      'Role/sotto-certificate',
    ]);
    const role = (await kustomizeBuild(overlay)).find(
      (object) => stringAt(object, 'metadata', 'name') === 'sotto-certificate',
    );
    await plane.createNamespace('seals', RESTRICTED);
    const metadata = { ...objectOf(memberAt(role, 'metadata')), namespace: 'seals' };
    expect((await apply({ ...role, metadata })).status).toBe(201);
  });

  test('people bound to sotto-requests may ask and read the answer, and nothing else', async () => {
    await plane.createNamespace('team-app', RESTRICTED);
    for (const object of await kustomizeBuild(join(folder, 'deploy/rights'))) {
      const { status } = await apply({
        ...object,
        metadata: { ...objectOf(object['metadata']), namespace: 'team-app' },
      });
      expect(status).toBe(201);
    }
    const account = await plane.createServiceAccount('team-app', 'person', []);
    await plane.admin('POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/team-app/rolebindings', {
      metadata: { name: 'person-asks' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'sotto-requests' },
      subjects: [{ kind: 'ServiceAccount', name: 'person', namespace: 'team-app' }],
    });
    const as = (method: string, path: string, body?: JsonObject): Promise<Answer> =>
      send(plane.access, method, path, body, { token: account.token, contentType: 'application/merge-patch+json' });
    const maps = '/api/v1/namespaces/team-app/configmaps';
    const asked = await as('PATCH', `${maps}/sotto-requests`, { data: { r1: '{"kind":"sync","sync":"app"}' } });
    expect(asked.status).toBe(200);
    expect((await as('GET', `${maps}/sotto-requests`)).status).toBe(200);
    expect((await as('GET', `${maps}/sotto-status`)).status).toBe(404);
    expect((await as('GET', `${maps}?fieldSelector=metadata.name%3Dsotto-status`)).status).toBe(200);
    expect((await as('GET', maps)).status).toBe(403);
    expect((await as('PATCH', `${maps}/sotto`, { data: { x: 'y' } })).status).toBe(403);
    expect((await as('PATCH', `${maps}/sotto-status`, { data: { x: 'y' } })).status).toBe(403);
    expect((await as('DELETE', `${maps}/sotto-requests`)).status).toBe(403);
    expect((await as('GET', '/api/v1/namespaces/team-app/secrets')).status).toBe(403);
    // A second apply of the empty ConfigMap keeps what was asked.
    const again = objectOf(
      (await kustomizeBuild(join(folder, 'deploy'))).find(
        (object) => kindAndName(object) === 'ConfigMap/sotto-requests',
      ),
    );
    expect(Object.keys(objectOf(memberAt((await apply(again)).body, 'data')))).toEqual(['r1']);
  });

  test('namespace and image are changed as kustomize users do it', async () => {
    const own = join(folder, 'deploy', 'kustomization.yaml');
    const text = await readFile(own, 'utf8');
    const digest = `sha256:${'ab'.repeat(32)}`;
    await writeFile(
      own,
      `${text.replace('namespace: team-app', 'namespace: elsewhere')}images:\n- { name: sotto, newName: images.example.com/sotto, digest: "${digest}" }\n`,
    );
    const objects = await kustomizeBuild(join(folder, 'deploy'));
    await writeFile(own, text);
    expect(objects.map((object) => stringAt(object, 'metadata', 'namespace'))).toEqual(objects.map(() => 'elsewhere'));
    const [container] = arrayAt(podTemplate(objects), 'spec', 'containers');
    expect(stringAt(container, 'image')).toBe(`images.example.com/sotto@${digest}`);
    const binding = objects.find(({ kind }) => kind === 'RoleBinding');
    expect(stringAt(arrayAt(binding, 'subjects')[0], 'namespace')).toBe('elsewhere');
  });
});

/** Each test has namespaces of its own; the subjects of bindings go along. */
function movedTo(object: JsonObject, suffix: string): JsonObject {
  const names = NAMESPACES.toSorted((a, b) => b.length - a.length).join('|');
  const text = stringifyJson(object).replaceAll(
    new RegExp(`"namespace":"(${names})"`, 'g'),
    `"namespace":"$1-${suffix}"`,
  );
  return objectOf(parseJson(text));
}

interface Sender {
  readonly token: string;
  readonly contentType: string;
}

/** With the warnings of the answer, which kubectl prints. As admin, or with a token. */
async function send(
  access: ControlPlaneAccess,
  method: string,
  path: string,
  body?: JsonObject,
  as?: Sender,
): Promise<Answer> {
  const ca = await readFile(access.caPath);
  const admin = { cert: await readFile(access.adminCertificatePath), key: await readFile(access.adminKeyPath) };
  const headers = {
    accept: 'application/json',
    'content-type': as?.contentType ?? 'application/apply-patch+yaml',
    ...(as === undefined ? {} : { authorization: `Bearer ${as.token}` }),
  };
  return new Promise((resolve, reject) => {
    const options = { method, ca, headers, agent: false, ...(as === undefined ? admin : {}) };
    request(`${access.url}${path}`, options, (incoming) => {
      const pieces: Buffer[] = [];
      incoming.on('data', (piece: Buffer) => pieces.push(piece));
      incoming.once('error', reject);
      incoming.once('end', () => {
        const warning = incoming.headers['warning'];
        const warnings = warning === undefined ? [] : [warning];
        resolve({ status: incoming.statusCode ?? 0, warnings, body: parseJson(Buffer.concat(pieces).toString()) });
      });
    })
      .once('error', reject)
      .end(body === undefined ? undefined : stringifyJson(body));
  });
}
