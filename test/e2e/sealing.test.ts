import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { arrayAt, type Json, type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { sealingCertificate } from '../../src/sealed/certificate.ts';
import { sealLabel } from '../../src/sealed/scope.ts';
import { sealValue } from '../../src/sealed/seal.ts';
import { readManifests } from '../../src/yaml/manifest.ts';
import { attentionOf, sourceErrorOf } from '../harness/attention.ts';
import { objectOf, ROOT, rulesOf } from '../harness/deploy.ts';
import { listenerOf } from '../harness/listener.ts';
import { secretPath } from '../harness/objects.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { documentedBlock, missingPrograms, runLines } from '../harness/documented.ts';
import { serveBehind, whyNoServiceProxy } from '../harness/service-proxy.ts';
import { runStock, stockOutput } from '../harness/stock.ts';
import { requestsFromNow } from '../harness/requests.ts';
import { createWorld, eventually, secret, settingsText, syncOf, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'age', 'kubeseal'] as const;
const STOCK_LABEL = 'sealedsecrets.bitnami.com/sealed-secrets-key';

async function keySecrets(world: World): Promise<readonly Json[]> {
  const selector = encodeURIComponent(STOCK_LABEL);
  const listed = await world.get(`/api/v1/namespaces/${world.namespace}/secrets?labelSelector=${selector}`);
  return arrayAt(listed, 'items');
}

function valueOf(object: Json | undefined, entry: string): string {
  return Buffer.from(stringAt(object, 'data', entry) ?? '', 'base64').toString();
}

async function sealedWith(world: World, certificatePem: string, index: number, name = 'db'): Promise<string> {
  const file = join(world.folder, 'cert.pem');
  await writeFile(file, certificatePem);
  const manifest = {
    ...secret(name, { password: world.value(index) }),
    metadata: { name, namespace: world.namespace },
  };
  return (await stockOutput('kubeseal', ['--cert', file], { stdin: JSON.stringify(manifest) })).toString();
}

function codes(status: Json): readonly Json[] {
  return arrayAt(syncOf(status), 'attention').map((each) => memberAt(each, 'code') ?? null);
}

function manifestOf(name: string, spec: JsonObject): string {
  return JSON.stringify({ apiVersion: 'bitnami.com/v1alpha1', kind: 'SealedSecret', metadata: { name }, spec });
}

const POLICIES = '/apis/admissionregistration.k8s.io/v1';

/** From now on the API server refuses ConfigMap sotto-recovery in the namespace of this world; until the end is called. */
async function refuseRecovery(world: World): Promise<() => Promise<void>> {
  const { namespace, own } = world;
  const metadata = { name: `no-recovery-${namespace}` };
  const rule = { apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['CREATE', 'UPDATE'] };
  const spec = {
    matchConstraints: { resourceRules: [rule] },
    validations: [
      { expression: `object.metadata.name != 'sotto-recovery'`, message: 'no recovery here', reason: 'Forbidden' },
    ],
  };
  await world.create(`${POLICIES}/validatingadmissionpolicies`, { metadata, spec });
  const here = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } };
  await world.create(`${POLICIES}/validatingadmissionpolicybindings`, {
    metadata,
    spec: { policyName: metadata.name, validationActions: ['Deny'], matchResources: here },
  });
  const probe = { metadata: { name: 'sotto-recovery' } };
  const isRefused = async (): Promise<boolean> =>
    (await own.plane.admin('POST', `/api/v1/namespaces/${namespace}/configmaps?dryRun=All`, probe)).status === 403;
  await eventually('the policy counts', async () => ((await isRefused()) ? true : undefined));
  return async () => {
    await own.plane.admin('DELETE', `${POLICIES}/validatingadmissionpolicybindings/${metadata.name}`);
    await own.plane.admin('DELETE', `${POLICIES}/validatingadmissionpolicies/${metadata.name}`);
    await eventually('the policy is gone', async () => ((await isRefused()) ? undefined : true));
  };
}

const fingerprintIn = (status: Json): string | undefined => stringAt(status, 'sealing', 'fingerprint');

describeReal('an agent with sealing.enabled', TOOLS, () => {
  test('makes one key, in the form of the stock controller, and opens what kubeseal seals to it', async () => {
    await using world = await createWorld({ top: 'sealing: { enabled: true }' });
    await world.repository.commit(await world.canaryFile(), 'first');
    await using agent = await world.start();
    const status = await world.until('a key', (document) => fingerprintIn(document) !== undefined);
    const [key, ...others] = await keySecrets(world);
    expect(others).toEqual([]);
    expect(key).toMatchObject({
      type: 'kubernetes.io/tls',
      metadata: { labels: { [STOCK_LABEL]: 'active' }, annotations: { 'sotto.dev/origin': 'sotto' } },
    });
    const listener = await listenerOf(agent);
    const pem = await listener.text('/v1/cert.pem');
    expect(pem.trim()).toBe(valueOf(key, 'tls.crt').trim());
    const printed = execFileSync('openssl', ['x509', '-noout', '-fingerprint', '-sha256'], { input: pem }).toString();
    expect(printed.split('=')[1]?.trim().replaceAll(':', '').toLowerCase()).toBe(fingerprintIn(status));
    await world.repository.commit({ 'deploy/db.json': await sealedWith(world, pem, 0) }, 'sealed');
    await eventually('the Secret is live', async () =>
      valueOf(await world.get(secretPath(world.namespace, 'db')), 'password') === world.value(0) ? true : undefined,
    );
    // Without recovery there is nothing of it but the Secret.
    expect(await world.get(`/api/v1/namespaces/${world.namespace}/configmaps/sotto-recovery`)).toBeUndefined();
    await agent.stop();
    // A restart finds its key.
    await using second = await world.start();
    await second.line('started', ({ msg }) => msg === 'started');
    expect(await (await listenerOf(second)).text('/v1/cert.pem')).toBe(pem);
    expect(await keySecrets(world)).toHaveLength(1);
  });

  test('unseals templates and the form of 2018 too, and forgets their values', async () => {
    await using world = await createWorld({ top: 'sealing: { enabled: true }' });
    await world.repository.commit(await world.canaryFile(), 'first');
    await using agent = await world.start();
    await world.until('a key', (document) => fingerprintIn(document) !== undefined);
    const certificate = sealingCertificate(await (await listenerOf(agent)).text('/v1/cert.pem'), new Date());
    const sealed = (name: string, value: string): string => {
      const label = sealLabel({ scope: 'strict', namespace: world.namespace, name });
      return sealValue(Sensitive.copyOf(Buffer.from(value)), certificate, label);
    };
    const template = { data: { url: 'postgres://{{ .user }}:{{ .password }}@db', auth: '{{ .password | b64enc }}' } };
    const encryptedData = { user: sealed('url', world.value(3)), password: sealed('url', world.value(4)) };
    const whole = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      data: { password: Buffer.from(world.value(5)).toString('base64') },
    });
    await world.repository.commit(
      {
        'deploy/url.json': manifestOf('url', { encryptedData, template }),
        'deploy/old.json': manifestOf('old', { encryptedData: {}, data: sealed('old', whole) }),
        'deploy/bad.json': manifestOf('bad', { encryptedData: {}, template: { data: { a: '{{ env "HOME" }}' } } }),
      },
      'second',
    );
    const live = (name: string) => eventually(`Secret ${name}`, () => world.get(secretPath(world.namespace, name)));
    const url = await live('url');
    expect(valueOf(url, 'url')).toBe(`postgres://${world.value(3)}:${world.value(4)}@db`);
    expect(valueOf(url, 'auth')).toBe(Buffer.from(world.value(4)).toString('base64'));
    expect(valueOf(await live('old'), 'password')).toBe(world.value(5));
    await world.until('refused', (document) => codes(document).includes('SOTTO-SEAL-009'));
    // Changed by hand, it is composed anew.
    const path = secretPath(world.namespace, 'url');
    await world.own.plane.admin('PATCH', path, { data: { url: 'eA==' } }, 'application/merge-patch+json');
    await eventually('restored', async () => (valueOf(await world.get(path), 'url') === 'x' ? undefined : true));
    await agent.stop();
    // Nothing changed: a restart applies nothing again.
    const before = stringAt(await world.get(path), 'metadata', 'resourceVersion');
    await using second = await world.start();
    await world.until('told', (document) => codes(document).includes('SOTTO-SEAL-009'));
    expect(stringAt(await world.get(path), 'metadata', 'resourceVersion')).toBe(before);
    await second.stop();
  });

  test('passes nothing through kustomize, which would change what SealedSecrets are bound to', async () => {
    await using world = await createWorld({ sync: '  sealedSecrets: passthrough\n' });
    const files = { 'deploy/kustomization.yaml': 'resources: [db.json]\n', 'deploy/db.json': manifestOf('db', {}) };
    await world.repository.commit(files, 'first');
    await using agent = await world.start();
    const status = await world.until('refused', (document) => sourceErrorOf(document) !== undefined);
    expect(sourceErrorOf(status)).toBe('SOTTO-SEAL-023');
    await agent.stop();
  });

  test.skipIf(missingPrograms(['kubectl']).length > 0)(
    'encrypts a new key to the recovery recipients; the documented line restores it',
    async () => {
      await using world = await createWorld();
      const url = world.git.url(world.repository);
      await world.settings(settingsText(url, { top: `sealing: { enabled: true, recovery: [ ${world.recipient} ] }` }));
      await world.repository.commit(await world.canaryFile(), 'first');
      await using agent = await world.start();
      const status = await world.until('a key', (document) => fingerprintIn(document) !== undefined);
      const [key] = await keySecrets(world);
      const name = stringAt(key, 'metadata', 'name') ?? '';
      const recovery = await world.get(`/api/v1/namespaces/${world.namespace}/configmaps/sotto-recovery`);
      const armoured = stringAt(recovery, 'data', `${name}.age`) ?? '';
      const manifest = (await stockOutput('age', ['-d', '-i', world.ageKeyFile], { stdin: armoured })).toString();
      const restored = objectOf(readManifests(manifest, 'key.json')[0]?.value);
      expect(valueOf(restored, 'tls.key')).toBe(valueOf(key, 'tls.key'));
      // The namespace loses its key; with the recovery file it is the same one again, and no other is made meanwhile.
      const pem = await (await listenerOf(agent)).text('/v1/cert.pem');
      await agent.stop();
      await world.own.plane.admin('DELETE', secretPath(world.namespace, name));
      const lines = (await documentedBlock('docs/sealed-secrets.md', 'kubectl get configmap sotto-recovery'))
        .replace('team-app', world.namespace)
        .replace('NAME', name)
        .replace('recovery.txt', world.ageKeyFile);
      const { adminKubeconfigPath } = world.own.plane.access;
      await runLines(lines, { cwd: world.folder, kubeconfig: adminKubeconfigPath, path: [dirname(toolPath('age'))] });
      const [again] = await keySecrets(world);
      expect(memberAt(again, 'data')).toEqual(memberAt(key, 'data'));
      expect(memberAt(again, 'metadata', 'annotations')).toEqual({ 'sotto.dev/origin': 'sotto' });
      await world.repository.commit({ 'deploy/db.json': await sealedWith(world, pem, 1) }, 'sealed');
      await using second = await world.start();
      await eventually('the Secret is live', async () =>
        valueOf(await world.get(secretPath(world.namespace, 'db')), 'password') === world.value(1) ? true : undefined,
      );
      expect(await (await listenerOf(second)).text('/v1/cert.pem')).toBe(pem);
      expect(fingerprintIn(status)).toBeDefined();
    },
  );

  test('stores the recovery copy first: while that is refused there is no key, and the status says why', async () => {
    await using world = await createWorld();
    const sealing = `sealing: { enabled: true, recovery: [ ${world.recipient} ] }`;
    await world.settings(settingsText(world.git.url(world.repository), { top: sealing }));
    await world.repository.commit(await world.canaryFile(), 'first');
    const log = await requestsFromNow(world);
    const allow = await refuseRecovery(world);
    await using first = await world.start();
    const status = await world.until('told', (document) => codes(document).includes('SOTTO-SEAL-025'));
    const told = attentionOf(status).find(({ code }) => code === 'SOTTO-SEAL-025');
    expect([told?.object, told?.text]).toEqual([
      'ConfigMap/sotto-recovery',
      expect.stringMatching(/^no key was made.*Admission refuses ConfigMap sotto-recovery: .*no recovery here/),
    ]);
    expect(fingerprintIn(status)).toBeUndefined();
    expect(await keySecrets(world)).toEqual([]);
    await first.stop();
    await allow();
    await using agent = await world.start();
    await world.until('a key', (document) => fingerprintIn(document) !== undefined);
    const [key] = await keySecrets(world);
    const name = stringAt(key, 'metadata', 'name') ?? '';
    const made = (await log.writes())
      .filter((entry) => entry.verb === 'create' && entry.status === 201)
      .map((entry) => `${entry.resource}/${entry.name}`)
      .filter((each) => ['configmaps/sotto-recovery', `secrets/${name}`].includes(each));
    expect(made).toEqual(['configmaps/sotto-recovery', `secrets/${name}`]);
    await agent.stop();
  });

  test('makes another key when its own is marked compromised, and says when the pinned one is not in use', async () => {
    await using world = await createWorld({ top: 'sealing: { enabled: true }' });
    await world.repository.commit(await world.canaryFile(), 'first');
    await using agent = await world.start();
    const first = fingerprintIn(await world.until('a key', (document) => fingerprintIn(document) !== undefined));
    const [key] = await keySecrets(world);
    const path = secretPath(world.namespace, stringAt(key, 'metadata', 'name') ?? '');
    const patch = { metadata: { labels: { [STOCK_LABEL]: 'compromised' } } };
    await world.own.plane.admin('PATCH', path, patch, 'application/merge-patch+json');
    const isOther = (document: Json): boolean => ![undefined, first].includes(fingerprintIn(document));
    const second = fingerprintIn(await world.until('another key', isOther));
    expect(await keySecrets(world)).toHaveLength(2);
    const url = world.git.url(world.repository);
    await world.settings(settingsText(url, { top: `sealing: { enabled: true, certificate: "${first}" }` }));
    await world.until('told', (document) => codes(document).includes('SOTTO-SEAL-021'));
    await world.settings(settingsText(url, { top: `sealing: { enabled: true, certificate: "${second}" }` }));
    await world.until('told no more', (document) => !codes(document).includes('SOTTO-SEAL-021'));
    await agent.stop();
  });

  test.skipIf(whyNoServiceProxy() !== undefined)(
    'is asked for its certificate by kubeseal through the API server, with the Role and the Service of deploy/',
    async () => {
      await using world = await createWorld({ top: 'sealing: { enabled: true }' });
      const { plane } = world.own;
      await world.repository.commit(await world.canaryFile(), 'first');
      await using agent = await world.start();
      await world.until('a key', (document) => fingerprintIn(document) !== undefined);
      const listener = await listenerOf(agent);
      const file = 'deploy/base/service.yaml';
      const service = readManifests(await readFile(join(ROOT, file), 'utf8'), file)[0]?.value ?? null;
      // Without a selector, because nobody runs the Pod that it selects.
      const spec = { type: 'ClusterIP', ports: memberAt(service, 'spec', 'ports') ?? [] };
      await world.create(`/api/v1/namespaces/${world.namespace}/services`, { metadata: { name: 'sotto' }, spec });
      await using behind = await serveBehind(plane, world.namespace, 'sotto', Number(new URL(listener.url).port));
      const rules = rulesOf('deploy/components/certificate/role.yaml');
      const person = await plane.createServiceAccount(world.namespace, 'person', rules);
      const stranger = await plane.createServiceAccount(world.namespace, 'stranger', []);
      const controller = ['--controller-name', 'sotto', '--controller-namespace', world.namespace];
      const fetchCert = (kubeconfig: string) =>
        runStock('kubeseal', ['--fetch-cert', ...controller, '--kubeconfig', kubeconfig]);
      const fetched = await fetchCert(person.kubeconfigPath);
      expect([fetched.code, fetched.stderr, behind.address]).toEqual([0, '', expect.any(String)]);
      expect(fetched.stdout.toString()).toBe(await listener.text('/v1/cert.pem'));
      expect((await fetchCert(stranger.kubeconfigPath)).code).toBe(1);
      // Sealed without a certificate at hand, opened by the agent.
      const manifest = {
        ...secret('db', { password: world.value(2) }),
        metadata: { name: 'db', namespace: world.namespace },
      };
      const sealed = await stockOutput('kubeseal', [...controller, '--kubeconfig', person.kubeconfigPath], {
        stdin: JSON.stringify(manifest),
      });
      await world.repository.commit({ 'deploy/db.json': sealed.toString() }, 'sealed');
      await eventually('the Secret is live', async () =>
        valueOf(await world.get(secretPath(world.namespace, 'db')), 'password') === world.value(2) ? true : undefined,
      );
      await agent.stop();
    },
  );
});
