import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import type { RunningAgent } from '../harness/agent.ts';
import { type Canaries, leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { describeReal } from '../harness/real.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { createWorld, type World } from '../harness/world.ts';
import { secretOf, sealerOf } from './leak-fixture.ts';

/** What no key of ours opens would go to a SealedSecrets controller, were its CRD there: other tests put it there. */
const UNSEAL = '  sealedSecrets: unseal';
const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'kubeseal'] as const;

/** What is wrong, the code that says so, and the file as it is committed. */
interface Case {
  readonly name: string;
  readonly fault: string;
  readonly code: string;
  readonly file: (entries: Readonly<Record<string, string>>) => Promise<string>;
}

/** Chunks of 15 bytes of the three values that each case has. */
const VALUES = [1, 40, 700];

describeReal('a Secret that is refused leaves its values nowhere', TOOLS, () => {
  const resources = new AsyncDisposableStack();
  let world: World;
  let canaries: Canaries;
  let agent: RunningAgent;
  let seal: (name: string, entries: Readonly<Record<string, string>>) => Promise<string>;

  const entriesOf = (index: number): Record<string, string> =>
    Object.fromEntries(VALUES.map((_, at) => [`k${at}`, canaries.values[index * VALUES.length + at] ?? '']));
  const sops = (name: string, entries: Readonly<Record<string, string>>, more: JsonObject = {}): Promise<string> =>
    world.sops(JSON.stringify(secretOf(name, entries, more)), 'x.json');

  const cases: readonly Case[] = [
    {
      name: 'number',
      fault: 'a number under stringData',
      code: 'SOTTO-RENDER-010',
      file: (entries) => sops('number', entries, { stringData: { ...entries, n: Number(canaries.numbers.values[0]) } }),
    },
    {
      name: 'boolean',
      fault: 'a boolean under stringData',
      code: 'SOTTO-RENDER-010',
      file: (entries) => sops('boolean', entries, { stringData: { ...entries, b: true } }),
    },
    {
      name: 'list',
      fault: 'a list under data',
      code: 'SOTTO-RENDER-010',
      file: (entries) => sops('list', {}, { data: { list: Object.values(entries) } }),
    },
    {
      name: 'text',
      fault: 'a value under data that is not base64',
      code: 'SOTTO-RENDER-011',
      file: (entries) => sops('text', {}, { data: { ...entries, bad: `!${entries['k1'] ?? ''}` } }),
    },
    {
      name: 'field',
      fault: 'a field that Secrets do not have',
      code: 'SOTTO-KUBE-011',
      file: (entries) => sops('field', entries, { spec: { a: 'b' } }),
    },
    {
      name: 'typed',
      fault: 'another type than the live Secret has',
      code: 'SOTTO-KUBE-010',
      file: (entries) => sops('typed', entries, { type: 'example.com/b' }),
    },
    {
      name: 'frozen',
      fault: 'a change of an immutable Secret and its type',
      code: 'SOTTO-KUBE-010',
      file: (entries) => sops('frozen', entries, { immutable: true, type: 'example.com/b' }),
    },
    {
      name: 'quota',
      fault: 'more Secrets than the quota allows',
      code: 'SOTTO-KUBE-012',
      file: async (entries) => {
        await useUpQuota(world);
        return sops('quota', entries);
      },
    },
    {
      name: 'mac',
      fault: 'a change after encryption',
      code: 'SOTTO-SOPS-001',
      file: async (entries) => (await sops('mac', entries)).replace('"name": "mac"', '"name": "moved"'),
    },
    {
      name: 'stranger',
      fault: 'another key',
      code: 'SOTTO-AGE-001',
      file: async (entries) => {
        const { recipient } = await newAgeKeyPair();
        const args = ['encrypt', '--age', recipient, '--encrypted-regex', '^(data|stringData)$'];
        const stdin = JSON.stringify(secretOf('stranger', entries));
        return (await stockOutput('sops', [...args, '--filename-override', 'x.json'], { stdin })).toString();
      },
    },
    {
      name: 'sealed',
      fault: 'another name than it was sealed for',
      code: 'SOTTO-SEAL-001',
      file: async (entries) => (await seal('sealed', entries)).replaceAll('name: sealed', 'name: renamed'),
    },
    {
      name: 'cut',
      fault: 'a sealed value with a flipped end',
      code: 'SOTTO-SEAL-002',
      file: async (entries) =>
        (await seal('cut', entries)).replace(/(k2: )(\S+?)(\S{8})\n/, (_, key, text) => `${key}${text}AAAAAAAA\n`),
    },
  ];

  beforeAll(async () => {
    // A Secret that the quota denies is filled again with every try: between two tries nothing of it may be found.
    world = resources.use(await createWorld({ retryInterval: '10m', sync: UNSEAL }));
    const sealer = await sealerOf(world);
    seal = (name, entries) => sealer.seal(0, name, entries);
    canaries = resources.use(plantCanaries([...cases, ...LIVE].flatMap(() => VALUES)));
    const files = await Promise.all(
      LIVE.map(({ name, more }, index) => sops(name, entriesOf(cases.length + index), more)),
    );
    const commit = await world.repository.commit(
      Object.fromEntries(LIVE.map(({ name }, index) => [`deploy/${name}.json`, files[index] ?? ''])),
      'live',
    );
    agent = await world.start();
    await agent.line('live', ({ msg, revision }) => msg === 'pass ended' && String(revision).endsWith(commit));
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    await resources.disposeAsync();
  });

  test.each(cases.map(({ fault, code, name }, index) => ({ fault, code, name, index })))(
    '$fault',
    async ({ code, name, index }) => {
      const path = `deploy/${name}.${code.startsWith('SOTTO-SEAL') ? 'yaml' : 'json'}`;
      const text = (await cases[index]?.file(entriesOf(index))) ?? '';
      await world.repository.commit({ [path]: text }, name);
      await agent.line('the refusal', (line) => line['code'] === code && JSON.stringify(line).includes(path));
      await leakCheck(world, agent, canaries);
      const said = agent.log.filter((line) => line.msg === 'refused' && JSON.stringify(line).includes(path));
      expect([...new Set(said.map((line) => line['code']))]).toEqual([code]);
    },
  );
});

const LIVE: readonly { name: string; more: JsonObject }[] = [
  { name: 'typed', more: { type: 'example.com/a' } },
  { name: 'frozen', more: { immutable: true } },
];

/** Nobody counts here but the test: without the controller manager the status of a quota is what is written into it. */
async function useUpQuota(world: World): Promise<void> {
  const quotas = `/api/v1/namespaces/${world.namespace}/resourcequotas`;
  const hard = { 'count/secrets': '1' };
  await world.create(quotas, { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q' }, spec: { hard } });
  await world.own.plane.admin('PATCH', `${quotas}/q/status`, { status: { hard, used: hard } });
}
