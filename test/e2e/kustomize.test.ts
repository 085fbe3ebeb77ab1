import { chmod, mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { arrayAt, type Json, memberAt, numberAt, parseJson, stringAt } from '../../src/core/json.ts';
import { attentionOf, passed, sourceErrorOf, untilReady } from '../harness/attention.ts';
import { listenerOf } from '../harness/listener.ts';
import { configMapPath, editByHand } from '../harness/objects.ts';
import { sampleProcesses } from '../harness/process-sampler.ts';
import { runSotto } from '../harness/once.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { rolledOut } from '../harness/rollout.ts';
import { configMap, createWorld, eventually, secret, settingsText, type World } from '../harness/world.ts';
import { sealerOf } from './leak-fixture.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'kustomize', 'kubeseal'] as const;

/** A base outside of the path, an overlay with a generator: the usual repository. */
async function overlay(world: World, token = world.value(1)): Promise<Record<string, string>> {
  return {
    'base/kustomization.yaml': 'resources: [db.json, web.yaml]\n',
    'base/db.json': await world.sops(JSON.stringify(secret('db', { password: world.value(0) })), 'db.json'),
    'base/web.yaml': [
      'apiVersion: apps/v1',
      'kind: Deployment',
      'metadata: { name: web }',
      'spec:',
      '  selector: { matchLabels: { app: web } }',
      '  template:',
      '    metadata: { labels: { app: web } }',
      '    spec:',
      '      containers:',
      '      - { name: c, image: "example.com/c:1", envFrom: [ { secretRef: { name: app } } ] }',
      '',
    ].join('\n'),
    'deploy/kustomization.yaml': [
      'namePrefix: prod-',
      'resources: [../base]',
      'secretGenerator:',
      '- name: app',
      '  envs: [app.env]',
      '',
    ].join('\n'),
    'deploy/app.env': await world.sops(`TOKEN=${token}\n`, 'app.env', []),
  };
}

async function secretsOf(world: World): Promise<Map<string, Json>> {
  const list = await world.get(`/api/v1/namespaces/${world.namespace}/secrets`);
  const named = arrayAt(list, 'items').map((item) => [stringAt(item, 'metadata', 'name') ?? '', item] as const);
  return new Map(named.filter(([name]) => name.startsWith('prod-')));
}

function valueOf(object: Json | undefined, key: string): string {
  return Buffer.from(stringAt(object, 'data', key) ?? '', 'base64').toString();
}

async function generatedName(world: World): Promise<string> {
  return [...(await secretsOf(world)).keys()].find((name) => name.startsWith('prod-app-')) ?? '';
}

/** What is behind a semicolon is a comment, quotes before it or not. */
function iniOf(value: string): string {
  return `top = 1\n\n[db]\n; about it\n; x" ; beside\npassword = "${value}\nu        = v\n`;
}

/** The Secret that the Deployment refers to. */
async function referred(world: World): Promise<string | undefined> {
  const web = await world.get(`/apis/apps/v1/namespaces/${world.namespace}/deployments/prod-web`);
  const [container] = arrayAt(web, 'spec', 'template', 'spec', 'containers');
  const [source] = arrayAt(container, 'envFrom');
  return stringAt(source, 'secretRef', 'name');
}

describeReal('a kustomization with closed secrets', TOOLS, () => {
  beforeAll(() => {
    process.env['PATH'] = [dirname(toolPath('kustomize')), process.env['PATH'] ?? ''].join(delimiter);
  });

  test('has its variables replaced after the build: in what was generated and patched, never in a secret', async () => {
    const sync =
      '  wait: false\n  postBuild: { substitute: { env: prod, replicas: "2" }, substituteFrom: [ { kind: ConfigMap, name: vars } ] }';
    await using world = await createWorld({ sync });
    const collection = `/api/v1/namespaces/${world.namespace}/configmaps`;
    await world.create(collection, configMap('vars', { tag: '1.2' }));
    const files = await overlay(world, `${world.value(1)}\${env}`);
    const commit = await world.repository.commit(
      {
        ...files,
        'deploy/kustomization.yaml': [
          'namePrefix: prod-',
          'resources: [../base]',
          'images: [ { name: example.com/c, newTag: "${tag}" } ]',
          'patches:',
          '- target: { kind: Deployment }',
          '  patch: |-',
          '    - { op: add, path: /spec/replicas, value: "${replicas}" }',
          'configMapGenerator:',
          '- name: settings',
          '  literals: ["env=${env}", "script=echo $${HOME}"]',
          'secretGenerator:',
          '- name: app',
          '  envs: [app.env]',
          '',
        ].join('\n'),
      },
      'first',
    );
    await using agent = await world.start();
    await untilReady(world, commit);
    const path = `/apis/apps/v1/namespaces/${world.namespace}/deployments/prod-web`;
    const spec = async (): Promise<Json | undefined> => memberAt(await world.get(path), 'spec');
    const image = async (): Promise<string | undefined> =>
      stringAt(arrayAt(await spec(), 'template', 'spec', 'containers')[0], 'image');
    expect(numberAt(await spec(), 'replicas')).toBe(2);
    expect(await image()).toBe('example.com/c:1.2');
    const maps = arrayAt(await world.get(collection), 'items');
    const settings = maps.find((map) => stringAt(map, 'metadata', 'name')?.startsWith('prod-settings-') === true);
    expect(memberAt(settings, 'data')).toEqual({ env: 'prod', script: 'echo ${HOME}' });
    expect(valueOf((await secretsOf(world)).get(await generatedName(world)), 'TOKEN')).toBe(`${world.value(1)}\${env}`);
    await editByHand(world, configMapPath(world.namespace, 'vars'), { data: { tag: '1.3' } });
    await eventually('the image follows', async () => ((await image()) === 'example.com/c:1.3' ? true : undefined));
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('is built from bases outside of the path, and its names follow the values, not their encryption', async () => {
    await using world = await createWorld({ sync: '  wait: false' });
    let commit = await world.repository.commit(await overlay(world), 'first');
    let opened = 0;
    {
      await using agent = await world.start();
      await untilReady(world, commit);
      const secrets = await secretsOf(world);
      const first = await generatedName(world);
      expect([...secrets.keys()]).toEqual([expect.stringMatching(/^prod-app-[a-z0-9]{10}$/), 'prod-db']);
      expect(valueOf(secrets.get(first), 'TOKEN')).toBe(world.value(1));
      expect(valueOf(secrets.get('prod-db'), 'password')).toBe(world.value(0));
      expect(await referred(world)).toBe(first);

      // Encrypted again: other ciphertext, the same value, so nothing changes.
      commit = await world.repository.commit(await overlay(world), 'encrypted again');
      expect(await passed(agent, commit)).toMatchObject({ applied: 0, pruned: 0 });
      expect(await generatedName(world)).toBe(first);

      // What was edited by hand is undone with what is encrypted now.
      await editByHand(world, `/api/v1/namespaces/${world.namespace}/secrets/${first}`, { stringData: { TOKEN: 'x' } });
      await eventually('the edit is undone', async () =>
        valueOf((await secretsOf(world)).get(first), 'TOKEN') === world.value(1) ? true : undefined,
      );

      commit = await world.repository.commit(await overlay(world, world.value(2)), 'another value');
      await passed(agent, commit);
      // Pods of the version before need theirs until the rollout is done.
      expect((await secretsOf(world)).has(first)).toBe(true);
      await rolledOut(world, `/apis/apps/v1/namespaces/${world.namespace}/deployments/prod-web`);
      await eventually('the old one is gone', async () => ((await secretsOf(world)).has(first) ? undefined : true));
      const second = await generatedName(world);
      expect(second).not.toBe(first);
      expect(valueOf((await secretsOf(world)).get(second), 'TOKEN')).toBe(world.value(2));
      expect(await referred(world)).toBe(second);
      expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
      opened = [...(await (await listenerOf(agent)).text('/metrics')).matchAll(/^sotto_decrypts_total\{/gm)].length;
    }
    expect(opened).toBeGreaterThan(0);
    await using again = await world.start();
    const ended = await passed(again, commit);
    expect(ended).toMatchObject({ applied: 0, pruned: 0, refused: 0 });
    // Tokens are remembered by ciphertext: nothing is opened to render the same names.
    expect(await (await listenerOf(again)).text('/metrics')).not.toMatch(/^sotto_decrypts_total\{.*\} [1-9]/m);
  });

  test('hands out an INI file as sops writes it, and follows its change', async () => {
    await using world = await createWorld({ sync: '  wait: false' });
    const files = async (value: string): Promise<Record<string, string>> => ({
      'deploy/kustomization.yaml': 'namePrefix: prod-\nsecretGenerator:\n- name: app\n  files: [app.ini]\n',
      'deploy/app.ini': await world.sops(
        `top=1\n[db]\n; about it\npassword="${value};x" ; beside\nu=v\n`,
        'app.ini',
        [],
      ),
    });
    let commit = await world.repository.commit(await files(world.value(0)), 'first');
    await using agent = await world.start();
    const text = async (): Promise<string> =>
      valueOf((await secretsOf(world)).get(await generatedName(world)), 'app.ini');
    await untilReady(world, commit);
    expect(await text()).toBe(iniOf(world.value(0)));
    commit = await world.repository.commit(await files(world.value(1)), 'another value');
    await passed(agent, commit);
    expect(await text()).toBe(iniOf(world.value(1)));
  });

  test('shows kustomize no value: not in its files, arguments or environment, caught in the act', async () => {
    await using world = await createWorld({ sync: '  wait: false' });
    const bin = join(world.folder, 'slow');
    const work = join(world.folder, 'work');
    await mkdir(bin);
    await mkdir(work);
    // Slow enough to look at everything that it has.
    await writeFile(join(bin, 'kustomize'), `#!/bin/sh\n/bin/sleep 0.4\nexec ${toolPath('kustomize')} "$@"\n`);
    await chmod(join(bin, 'kustomize'), 0o755);
    const commit = await world.repository.commit(await overlay(world), 'first');
    const seen = new Map<string, string>();
    const stop = new AbortController();
    const watching = watchTrees(work, seen, stop.signal);
    using sampler = sampleProcesses();
    const PATH = [bin, process.env['PATH'] ?? ''].join(delimiter);
    await using agent = await world.start([], { env: { SOTTO_WORK_DIR: work, PATH } });
    await untilReady(world, commit);
    stop.abort();
    await watching;
    const builds = sampler.samples().filter(({ argv }) => argv.includes('\0build\0'));
    expect(builds.length).toBeGreaterThan(0);
    expect(builds.map(({ environ }) => environ).join('')).not.toMatch(/TOKEN|SOTTO|KUBE|HOME/);
    // The files were there, with marks in place of values.
    const names = [...seen.keys()].map((path) => path.replace(/^.*\/repository\//, ''));
    expect(new Set(names)).toEqual(
      new Set([
        'base/db.json',
        'base/kustomization.yaml',
        'base/web.yaml',
        'deploy/app.env',
        'deploy/kustomization.yaml',
      ]),
    );
    expect(seen.get([...seen.keys()].find((path) => path.endsWith('app.env')) ?? '')).toMatch(/^TOKEN=soTTo\w{43}\n$/);
    const everything = [...seen.values(), ...builds.map(({ argv, environ }) => argv + environ)].join('\n');
    for (const value of [world.value(0), world.value(1)]) {
      expect(everything).not.toContain(value);
      expect(everything).not.toContain(Buffer.from(value).toString('base64').slice(0, 16));
    }
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
    // No folder of a build is left.
    expect((await readdir(work, { recursive: true })).filter((path) => path.includes('repository'))).toEqual([]);
  });

  test('is built once for each tree: commits beside it and hand edits build nothing', async () => {
    await using world = await createWorld({ sync: '  wait: false' });
    using sampler = sampleProcesses();
    const builds = (): number =>
      new Set(
        sampler
          .samples()
          .filter(({ argv }) => /(?:^|\/)kustomize\0build\0/.test(argv))
          .map(({ pid }) => pid),
      ).size;
    const files = await overlay(world);
    const first = await world.repository.commit(files, 'first');
    await using agent = await world.start();
    await untilReady(world, first);
    const before = builds();
    expect(before).toBeGreaterThan(0);

    // Neither what no kustomization names nor the way of a revert is another tree.
    const beside = await world.repository.commit(
      { 'deploy/README.md': 'not named', 'other/a.yaml': 'a: 1\n' },
      'beside',
    );
    expect(await passed(agent, beside)).toMatchObject({ applied: 0, pruned: 0 });
    const name = await generatedName(world);
    await editByHand(world, `/api/v1/namespaces/${world.namespace}/secrets/${name}`, { stringData: { TOKEN: 'x' } });
    await eventually('the edit is undone', async () =>
      valueOf((await secretsOf(world)).get(name), 'TOKEN') === world.value(1) ? true : undefined,
    );
    expect(builds()).toBe(before);

    const base = `${files['base/web.yaml'] ?? ''}# touched\n`;
    await passed(agent, await world.repository.commit({ 'base/web.yaml': base }, 'another tree'));
    expect(builds()).toBe(before + 1);
  });

  test('that cannot be built changes nothing, prunes nothing, and every fault is told with its place', async () => {
    await using world = await createWorld({ sync: '  wait: false' });
    let hits = 0;
    await using server = createServer((_request, response) => {
      hits += 1;
      response.end('apiVersion: v1\nkind: ConfigMap\nmetadata: { name: remote }\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const good = await overlay(world);
    let commit = await world.repository.commit(good, 'good');
    await using agent = await world.start();
    await untilReady(world, commit);
    const before = [...(await secretsOf(world)).keys()];
    const kustomization = good['deploy/kustomization.yaml'] ?? '';
    const cases = [
      {
        files: {
          'deploy/kustomization.yaml': `${kustomization}crds: [http://127.0.0.1:${port}/x.yaml, ../../../etc/passwd]\n`,
        },
        codes: ['SOTTO-RENDER-020', 'SOTTO-RENDER-021'],
        file: 'deploy/kustomization.yaml',
      },
      {
        files: { 'deploy/kustomization.yaml': kustomization.replace('envs: [app.env]', 'literals: [a=hunter2]') },
        codes: ['SOTTO-PLAN-004'],
        file: 'deploy/kustomization.yaml',
      },
      { files: { 'deploy/app.env': 'TOKEN=hunter2\n' }, codes: ['SOTTO-PLAN-004'], file: 'deploy/kustomization.yaml' },
      {
        files: {
          'deploy/kustomization.yaml': `${kustomization}patches:\n- patch: |\n    apiVersion: v1\n    kind: ConfigMap\n    metadata: { name: none }\n`,
        },
        codes: ['SOTTO-RENDER-037'],
        file: undefined,
      },
      {
        files: { 'base/db.json': (good['base/db.json'] ?? '').replace(/"mac": "ENC[^"]*"/, '"mac": ""') },
        codes: ['SOTTO-SOPS-'],
        file: 'base/db.json',
      },
    ];
    for (const { files, codes, file } of cases) {
      const from = agent.log.length;
      commit = await world.repository.commit(files, `bad: ${codes.join()}`);
      for (const code of codes) {
        const told = await agent.line(`${code} is told`, (line) => {
          return agent.log.indexOf(line) >= from && String(line['code']).startsWith(code);
        });
        if (file !== undefined) expect(stringAt(told, 'error', 'file')).toBe(file);
      }
      expect([...(await secretsOf(world)).keys()], codes.join()).toEqual(before);
      commit = await world.repository.commit(good, 'mended');
      await passed(agent, commit);
    }
    await world.repository.commit(cases[0]?.files ?? {}, 'bad again');
    const status = await world.until('both faults are told', (document) => attentionOf(document).length === 2);
    expect(attentionOf(status).map(({ code }) => code)).toEqual(['SOTTO-RENDER-020', 'SOTTO-RENDER-021']);
    expect(sourceErrorOf(status)).toBe('SOTTO-RENDER-020');
    expect(agent.output()).not.toMatch(/hunter2|soTTo/);
    expect(hits).toBe(0);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('is what diff shows: nothing where nothing changed, with keys and without; every object with its file', async () => {
    await using world = await createWorld({ sync: '  wait: false' });
    const files = await overlay(world);
    const commit = await world.repository.commit(files, 'first');
    await using agent = await world.start();
    await passed(agent, commit);
    // The inventory is written with the pass: from then on its tokens are known.
    await eventually('the inventory is there', () => world.get(configMapPath(world.namespace, 'sotto-inventory')));
    const withKey = ['--key-file', world.ageKeyFile];
    const unknown = [
      expect.stringMatching(/^unknown Secret\/prod-app-[a-z0-9]{10} deploy\/kustomization\.yaml:4$/),
      'unknown Secret/prod-db base/db.json:1',
    ];
    expect(await diffOf(world, files)).toEqual({ code: 0, lines: unknown });
    expect(await diffOf(world, files, withKey)).toEqual({ code: 0, lines: [] });

    const web = (files['base/web.yaml'] ?? '').replace('example.com/c:1', 'example.com/c:2');
    expect(await diffOf(world, { ...files, 'base/web.yaml': web })).toEqual({
      code: 1,
      lines: ['change apps/Deployment/prod-web base/web.yaml:1', ...unknown],
    });

    const token = await world.sops(`TOKEN=${world.value(2)}\n`, 'app.env', []);
    for (const args of [[], withKey]) {
      const { lines } = await diffOf(world, { ...files, 'deploy/app.env': token }, args);
      expect(lines).toEqual([
        'change apps/Deployment/prod-web base/web.yaml:1',
        expect.stringMatching(/^create Secret\/prod-app-[a-z0-9]{10} deploy\/kustomization\.yaml:4$/),
        expect.stringMatching(/^prune Secret\/prod-app-[a-z0-9]{10} $/),
        ...(args === withKey ? [] : ['unknown Secret/prod-db base/db.json:1']),
      ]);
    }
    const broken = { ...files, 'deploy/kustomization.yaml': 'resources: [https://example.com/x, ../base]\n' };
    expect(await diffOf(world, broken, withKey)).toEqual({
      code: 1,
      lines: ['refused SOTTO-RENDER-020 deploy/kustomization.yaml:1'],
    });
  });

  test('takes SealedSecrets as resources, and secrets into other objects only where settings say so', async () => {
    const settings = '  wait: false\n  render: { kustomize: { secretsIn: [ { kind: ConfigMap, name: prod-open } ] } }';
    await using world = await createWorld({ sync: settings });
    const sealer = await sealerOf(world);
    const commit = await world.repository.commit(
      {
        'deploy/kustomization.yaml': [
          'namePrefix: prod-',
          'resources: [sealed.yaml]',
          'configMapGenerator:',
          '- { name: open, files: [app.conf] }',
          '- { name: closed, files: [app.conf] }',
          '',
        ].join('\n'),
        'deploy/sealed.yaml': await sealer.seal(0, 'sealed', { a: world.value(3) }),
        'deploy/app.conf': await world.sops('password: 12345678\n', 'app.conf', ['--input-type', 'binary']),
      },
      'first',
    );
    await using agent = await world.start();
    await passed(agent, commit);
    expect(valueOf((await secretsOf(world)).get('prod-sealed'), 'a')).toBe(world.value(3));
    const maps = await world.get(`/api/v1/namespaces/${world.namespace}/configmaps`);
    const generated = arrayAt(maps, 'items').filter((item) => stringAt(item, 'metadata', 'name')?.startsWith('prod-'));
    expect(generated.map((item) => stringAt(item, 'data', 'app.conf'))).toEqual(['password: 12345678\n']);
    const status = await world.until('it is told', (document) => attentionOf(document).length > 0);
    expect(attentionOf(status)).toEqual([
      expect.objectContaining({ code: 'SOTTO-RENDER-006', file: 'deploy/app.conf' }),
    ]);
    await eventually('the rest is there', () => world.get(configMapPath(world.namespace, 'sotto-inventory')));
  });
});

/** `sotto diff` over a checkout with these files. */
async function diffOf(world: World, files: Readonly<Record<string, string>>, args: readonly string[] = []) {
  const folder = await mkdtemp(join(world.folder, 'checkout-'));
  await mkdir(join(folder, '.git'));
  const settings = settingsText(world.git.url(world.repository), { sync: '  wait: false' });
  for (const [path, text] of Object.entries({ ...files, 'sotto.yaml': settings })) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  const where = ['-n', world.namespace, '--kubeconfig', world.own.account.kubeconfigPath];
  const { code, stdout, stderr } = await runSotto(['diff', folder, ...where, ...args, '-o', 'json']);
  expect(stdout + stderr).not.toMatch(/soTTo/);
  world.leaks.output(stdout + stderr);
  const lines = arrayAt(stdout === '' ? null : parseJson(stdout), 'changes').map((change) => {
    const error = memberAt(change, 'error') ?? null;
    const place = [change, error].find((each) => stringAt(each, 'file') !== undefined) ?? null;
    const what = stringAt(change, 'object') ?? stringAt(error, 'code') ?? '';
    const line = place === null ? '' : `${stringAt(place, 'file')}:${numberAt(place, 'line')}`;
    return `${stringAt(change, 'kind')} ${what} ${line}`;
  });
  return { code, lines: lines.toSorted() };
}

/** Everything that ever stood in a folder that kustomize builds. */
async function watchTrees(work: string, seen: Map<string, string>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const entries = await readdir(work, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || !path.includes('/repository/')) continue;
      const text = await readFile(path, 'utf8').catch(() => undefined);
      if (text !== undefined && text !== '') seen.set(path, text);
    }
    await sleep(5);
  }
}
