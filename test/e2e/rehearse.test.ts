import { readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import type { PolicyRule, ServiceAccountAccess } from '../../src/demo/control-plane.ts';
import type { CliResult } from '../cli/session.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { untilTried } from '../harness/attention.ts';
import { type Checkout, clone } from '../harness/checkout.ts';
import { metricsOf } from '../harness/leak-places.ts';
import { configMapPath } from '../harness/objects.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { type AgeKeyPair, newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { configMap, createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'age', 'kubeseal', 'kustomize'] as const;

/** What docs/rotation.md says of who rehearses. No right to read Secrets is among it. */
const REHEARSER: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['configmaps', 'secrets', 'services'], verbs: ['create', 'patch'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch'] },
];
const KEEPER: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'create', 'patch'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch', 'create', 'patch'] },
];

const SERVICE = `apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, nodePort: 30917}]}
`;

describeReal('sotto keys rehearse', TOOLS, () => {
  let world: World;
  let agent: RunningAgent;
  let recovery: AgeKeyPair;
  let checkout: Checkout;
  let keeper: ServiceAccountAccess;

  const git = (...args: readonly string[]): string => checkout.git(...args);
  const outside = (name: string): string => join(world.folder, name);
  const rehearse = async (...words: readonly string[]): Promise<CliResult> => {
    const result = await checkout.run('keys', 'rehearse', '--key-file', outside('recovery.txt'), ...words);
    const said = result.stdout + result.stderr;
    const [identity = ''] = recovery.identity.split('\n').filter((line) => line.startsWith('AGE-'));
    for (const value of [world.value(0), world.value(1), world.value(2), identity]) expect(said).not.toContain(value);
    return result;
  };
  const rehearsal = async (): Promise<Json | undefined> => memberAt(await world.status(), 'rehearsal');
  const push = (message: string): void => {
    git('add', '-A');
    git('commit', '-q', '-m', message);
    git('push', '-q', 'origin', 'main');
  };
  /** Everything in the namespace but what the agent and requests write. */
  const versions = async (): Promise<Json> => {
    const lists = await Promise.all(
      ['secrets', 'configmaps', 'services'].map((plural) =>
        world.get(`/api/v1/namespaces/${world.namespace}/${plural}`),
      ),
    );
    return lists
      .flatMap((list) => arrayAt(list, 'items'))
      .filter((item) => stringAt(item, 'metadata', 'name')?.startsWith('sotto-') !== true)
      .map((item) => [stringAt(item, 'metadata', 'name') ?? '', stringAt(item, 'metadata', 'resourceVersion') ?? '']);
  };
  const person = (name: string, rules: readonly PolicyRule[]): Promise<ServiceAccountAccess> =>
    world.own.plane.createServiceAccount(world.namespace, name, rules);

  beforeAll(async () => {
    recovery = await newAgeKeyPair();
    world = await createWorld({ top: 'sealing: { enabled: true }' });
    writeFileSync(outside('recovery.txt'), `${recovery.identity}\n`);
    const flags = ['--age', `${world.recipient},${recovery.recipient}`, '--encrypted-regex', '^(data|stringData)$'];
    const api = JSON.stringify(secret('api', { token: world.value(1) }));
    const sealedForBoth = ['encrypt', ...flags, '--filename-override', 'api.json'];
    const commit = await world.repository.commit(
      {
        'deploy/db.json': await world.sops(JSON.stringify(secret('db', { password: world.value(0) })), 'db.json'),
        'deploy/api.json': (await stockOutput('sops', sealedForBoth, { stdin: api })).toString(),
        'deploy/web.json': JSON.stringify(configMap('web', { color: 'blue' })),
        'deploy/service.yaml': SERVICE,
      },
      'first',
    );
    agent = await world.start();
    await untilTried(world, commit);
    await world.until('a key', (status) => stringAt(status, 'sealing', 'fingerprint') !== undefined);
    const searchPath = [dirname(toolPath('kustomize')), process.env['PATH'] ?? ''].join(delimiter);
    checkout = clone(world, await person('kim', REHEARSER), { env: { PATH: searchPath } });
    keeper = await person('ada', KEEPER);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  test('a document that only the cluster opens is found, although the agent runs fine', async () => {
    const before = await versions();
    const { exit, stdout, stderr } = await rehearse();
    expect({ exit, stderr }).toMatchObject({ exit: 4, stderr: expect.stringContaining('SOTTO-KEYS-080') as string });
    expect(stderr).toContain('1 of 2 encrypted files do not come back');
    expect(stderr).toContain('the settings are those of ConfigMap sotto in the cluster');
    expect(stdout).toMatch(/^deploy\/api\.json +\S*recovery\.txt$/m);
    expect(stdout).toMatch(/^deploy\/db\.json +SOTTO-AGE-001$/m);
    expect(stdout).toMatch(/^Secret\/db +deploy\/db\.json +not opened SOTTO-AGE-001$/m);
    expect(stdout).toMatch(/^Secret\/api +deploy\/api\.json +would be created$/m);
    expect(stdout).toMatch(/^Service\/web +deploy\/service\.yaml +would be created$/m);
    expect(stdout).toContain(`  next: sotto keys backup --recipient ${recovery.recipient} --out keys.age`);
    expect(stringAt(arrayAt(await world.status(), 'syncs')[0], 'state')).toBe('Ready');
    expect(await rehearsal()).toBeUndefined();
    expect(await versions()).toEqual(before);
  });

  test('a backup that is not for the recovery identity, or is none, is told as such', async () => {
    const stranger = await newAgeKeyPair();
    const foreign = outside('foreign.age');
    expect(
      await checkout.runAs(keeper, 'keys', 'backup', '--recipient', stranger.recipient, '--out', foreign),
    ).toMatchObject({ exit: 0 });
    for (const backup of [foreign, outside('recovery.txt')]) {
      const refused = await rehearse('--backup', backup);
      expect(refused).toMatchObject({ exit: 4, stderr: expect.stringContaining('SOTTO-KEYS-062') as string });
    }
    const nothing = await checkout.run('keys', 'rehearse');
    expect(nothing).toMatchObject({ exit: 2, stderr: expect.stringContaining('--key-file recovery.txt') as string });
  });

  test('with a backup everything comes back, nothing is written, and the agent keeps the date', async () => {
    const backup = outside('keys.age');
    expect(
      await checkout.runAs(keeper, 'keys', 'backup', '--recipient', recovery.recipient, '--out', backup),
    ).toMatchObject({ exit: 0 });
    const before = await versions();
    const unrecorded = await rehearse('--backup', backup, '--no-record', '-o', 'json');
    expect({ exit: unrecorded.exit, stderr: unrecorded.stderr }).toMatchObject({ exit: 0 });
    expect(parseJson(unrecorded.stdout)).toMatchObject({
      schema: 'sotto.dev/rehearsal/v1alpha1',
      commit: git('rev-parse', 'HEAD').trim(),
      recorded: false,
      documents: expect.arrayContaining([
        { file: 'deploy/db.json', kind: 'sops', openedBy: `${backup} Secret/sops-age` },
      ]) as Json,
    });
    expect(await rehearsal()).toBeUndefined();

    const asked = await rehearse('--backup', backup);
    expect({ exit: asked.exit, stderr: asked.stderr }).toMatchObject({
      exit: 0,
      stderr: expect.stringContaining(
        'all 2 encrypted files open, and the API server would take all 4 objects',
      ) as string,
    });
    expect(asked.stderr).toContain('the agent has recorded as of ');
    expect(await versions()).toEqual(before);
    const told = await world.until('it is told', (status) => stringAt(status, 'rehearsal', 'at') !== undefined);
    expect(memberAt(told, 'rehearsal')).toEqual({
      at: expect.stringMatching(/^20\d\d-/) as string,
      by: `system:serviceaccount:${world.namespace}:kim`,
      documents: 2,
      objects: 4,
    });
    const seconds = Date.parse(stringAt(told, 'rehearsal', 'at') ?? '') / 1000;
    const metrics = await metricsOf(agent);
    expect(metrics).toContain(`sotto_last_rehearsal_timestamp_seconds ${seconds}\n`);
    expect(metrics).toContain('sotto_keys{kind="age",state="active"} 1\n');
    expect(metrics).toMatch(/^sotto_key_since_timestamp_seconds\{kind="age",state="active"\} \d{10}$/m);
    await agent.stop();
    agent = await world.start();
    await agent.line('started', ({ msg }) => msg === 'started');
    await eventually('the date is there again', async () =>
      (await metricsOf(agent)).includes(`sotto_last_rehearsal_timestamp_seconds ${seconds}\n`) ? true : undefined,
    );
    expect(await rehearsal()).toEqual(memberAt(told, 'rehearsal'));
    expect((await checkout.run('status')).stdout).toMatch(
      /^Rehearsed 20\S+ by system:serviceaccount:\S+:kim: 2 documents, 4 objects$/m,
    );
  });

  test('a backup and settings in the repository are found, SealedSecrets open, and there is no need for a cluster', async () => {
    const exported = await checkout.runAs(keeper, 'keys', 'export');
    const certificate = outside('cert.pem');
    writeFileSync(certificate, exported.stdout.slice(exported.stdout.indexOf('-----BEGIN CERT')));
    const sealed = await stockOutput('kubeseal', ['--cert', certificate, '-n', world.namespace, '-o', 'yaml'], {
      stdin: JSON.stringify(secret('mail', { password: world.value(2) })),
    });
    writeFileSync(join(checkout.folder, 'deploy/mail.yaml'), sealed);
    writeFileSync(join(checkout.folder, 'keys.age'), readFileSync(outside('keys.age')));
    const settings = stringAt(await world.get(configMapPath(world.namespace, 'sotto')), 'data', 'sotto.yaml') ?? '';
    const manifest = { ...configMap('sotto', { 'sotto.yaml': settings }) };
    writeFileSync(join(checkout.folder, 'sotto.json'), JSON.stringify(manifest));
    push('a backup, and the settings');
    const offline = await checkout.run('keys', 'rehearse', '--key-file', outside('recovery.txt'), '--offline');
    expect(offline).toMatchObject({
      exit: 0,
      stderr: expect.stringContaining('all 3 encrypted files open\n') as string,
    });
    expect(offline.stdout).toMatch(/^deploy\/mail\.yaml +keys\.age Secret\/sotto-sealing-/m);
    const { exit, stdout, stderr } = await rehearse();
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    expect(stderr).not.toContain('warning');
    expect(stdout).toMatch(/^Secret\/mail +deploy\/mail\.yaml +would be created$/m);
  });

  test('who may not ask the agent is told that nothing is recorded', async () => {
    const mute = await person('mute', [
      { apiGroups: [''], resources: ['configmaps', 'secrets', 'services'], verbs: ['create'] },
      { apiGroups: [''], resources: ['secrets', 'services'], verbs: ['patch'] },
      { apiGroups: [''], resources: ['configmaps'], verbs: ['patch'], resourceNames: ['web'] },
    ]);
    const { exit, stderr } = await checkout.runAs(mute, 'keys', 'rehearse', '--key-file', outside('recovery.txt'));
    expect({ exit, stderr }).toMatchObject({
      exit: 0,
      stderr: expect.stringContaining('not recorded: SOTTO-CLI-052') as string,
    });
  });

  test('an object that runs and would not be taken any more is found', async () => {
    const policies = '/apis/admissionregistration.k8s.io/v1';
    const name = `no-web-${world.namespace}`;
    const meta = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name } };
    await world.create(`${policies}/validatingadmissionpolicies`, {
      ...meta,
      kind: 'ValidatingAdmissionPolicy',
      spec: {
        matchConstraints: {
          resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
        },
        validations: [{ expression: 'object.metadata.name != "web"', message: 'no more of those' }],
      },
    });
    await world.create(`${policies}/validatingadmissionpolicybindings`, {
      ...meta,
      kind: 'ValidatingAdmissionPolicyBinding',
      spec: {
        policyName: name,
        validationActions: ['Deny'],
        matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': world.namespace } } },
      },
    });
    const before = await rehearsal();
    const refused = await eventually('the policy is in force', async () => {
      const result = await rehearse('--no-record');
      return result.exit === 0 ? undefined : result;
    });
    expect(refused).toMatchObject({ exit: 1, stderr: expect.stringContaining('SOTTO-KEYS-081') as string });
    expect(refused.stdout).toMatch(/^ConfigMap\/web +deploy\/web\.json +refused SOTTO-KUBE-\d+$/m);
    expect(refused.stdout).toContain('no more of those');
    for (const plural of ['validatingadmissionpolicybindings', 'validatingadmissionpolicies'])
      await world.own.plane.admin('DELETE', `${policies}/${plural}/${name}`);
    expect(await rehearsal()).toEqual(before);
  });

  test('what a kustomization makes of encrypted files is rehearsed as well', async () => {
    const kustomization = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      namePrefix: 'k-',
      resources: ['db.json', 'api.json', 'mail.yaml', 'web.json'],
    };
    writeFileSync(join(checkout.folder, 'deploy/kustomization.yaml'), JSON.stringify(kustomization));
    git('add', '-A');
    git('commit', '-q', '-m', 'by kustomize');
    const { exit, stdout, stderr } = await rehearse('--no-record');
    expect({ exit, stderr, stdout }).toMatchObject({ exit: 0 });
    for (const object of ['Secret/k-db', 'Secret/k-api', 'ConfigMap/k-web'])
      expect(stdout).toMatch(new RegExp(`^${object} .* would be created$`, 'm'));
  });
});
