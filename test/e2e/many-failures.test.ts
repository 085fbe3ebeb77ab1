import { expect, test } from 'vitest';
import { LIMITS } from '../../src/core/limits.ts';
import { arrayAt, memberAt, numberAt, stringAt } from '../../src/core/json.ts';
import { attentionOf, codesOf, stateOf, untilReady, untilTried } from '../harness/attention.ts';
import { configMapPath } from '../harness/objects.ts';
import { personIn, REQUEST_RULES } from '../harness/person.ts';
import { describeReal } from '../harness/real.ts';
import { requestsSince, shown } from '../harness/requests.ts';
import { configMap, createWorld, syncOf } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;
const FILES = 10;
const EACH = 500;
const LONG = 'a-name-as-long-as-generators-make-them-'.repeat(4);

/** Objects that belong elsewhere: each is refused, each for its own place. */
function foreign(): Record<string, string> {
  const files = Array.from({ length: FILES }, (_file, file) => {
    const documents = Array.from({ length: EACH }, (_document, index) =>
      JSON.stringify({
        ...configMap('', { a: '1' }),
        metadata: { name: `${LONG}${file}-${index}`, namespace: 'elsewhere' },
      }),
    );
    return [`deploy/foreign-${file}.yaml`, documents.join('\n---\n')] as const;
  });
  return Object.fromEntries(files);
}

describeReal('a commit with 5,000 failures', TOOLS, () => {
  test('has a status below its cap that says how many and hides no other one, and asks the API server nothing', async () => {
    await using world = await createWorld();
    const mark = await world.own.plane.auditMark();
    const first = await world.repository.commit(
      {
        ...(await world.canaryFile()),
        ...foreign(),
        'deploy/broken.yaml': 'a: [',
        'deploy/good.json': JSON.stringify(configMap('good', { color: 'blue' })),
      },
      'first',
    );
    await using agent = await world.start();
    const status = await untilTried(world, first);
    const live = await world.get(configMapPath(world.namespace, 'sotto-status'));
    const text = stringAt(live, 'data', 'status.json') ?? '';
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(LIMITS.maxStatusBytes);
    expect(stateOf(status)).toBe('Degraded');
    expect(numberAt(syncOf(status) ?? null, 'attentionTotal')).toBe(FILES * EACH + 1);
    expect(codesOf(status)['deploy/broken.yaml']).toMatch(/^SOTTO-YAML-/);
    const lines = attentionOf(status);
    expect(lines.length).toBeLessThanOrEqual(LIMITS.maxAttention);
    expect(new Set(lines.map(({ code }) => code)).size).toBe(2);
    expect(memberAt(await world.get(configMapPath(world.namespace, 'good')), 'data')).toEqual({ color: 'blue' });

    const person = await personIn(world, [
      ...REQUEST_RULES,
      { apiGroups: [''], resources: ['configmaps'], verbs: ['get'] },
    ]);
    const said = await person.sotto(['status']);
    expect([said.exit, said.stderr]).toEqual([1, '']);
    expect(said.stdout).toContain('5001');
    expect(said.stdout.split('\n').length).toBeLessThan(1_000);
    const why = await person.sotto(['why', `configmap/${LONG}9-499`]);
    expect([why.exit, why.stdout]).toEqual([1, expect.stringMatching(/of 5001 things that need attention/)]);
    // Nobody else hears of it: these objects do not exist.
    const calls = await requestsSince(world, mark).calls();
    expect(shown(calls.filter(({ resource }) => resource === 'events'))).toEqual([]);
    expect(calls.length, shown(calls).join('\n')).toBeLessThan(60);

    const gone = Object.keys(foreign()).map((file) => [file, null] as const);
    const second = await world.repository.commit({ ...Object.fromEntries(gone), 'deploy/broken.yaml': null }, 'second');
    const ready = await untilReady(world, second);
    expect(arrayAt(syncOf(ready) ?? null, 'attention')).toEqual([]);
    expect(agent.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
