import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { arrayAt, type Json, stringAt } from '../../src/core/json.ts';
import { configMapPath, secretPath } from '../harness/objects.ts';
import { personIn } from '../harness/person.ts';
import { allowPushing } from '../harness/pushing.ts';
import { describeReal } from '../harness/real.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';
import { createWorld, eventually, secret, type World } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'kubeseal'] as const;
const STOCK_LABEL = 'sealedsecrets.bitnami.com/sealed-secrets-key';

async function sealingKeys(world: World): Promise<readonly Json[]> {
  const selector = encodeURIComponent(STOCK_LABEL);
  return arrayAt(await world.get(`/api/v1/namespaces/${world.namespace}/secrets?labelSelector=${selector}`), 'items');
}

async function sealedFor(world: World, key: Json | undefined, index: number): Promise<string> {
  const certificate = join(world.folder, 'certificate.pem');
  writeFileSync(certificate, Buffer.from(stringAt(key, 'data', 'tls.crt') ?? '', 'base64'));
  const args = ['--cert', certificate, '--namespace', world.namespace, '--format', 'yaml'];
  const manifest = JSON.stringify(secret('db', { password: world.value(index) }));
  return (await stockOutput('kubeseal', args, { stdin: manifest })).toString();
}

async function password(world: World): Promise<string> {
  const live = await world.get(secretPath(world.namespace, 'db'));
  return Buffer.from(stringAt(live, 'data', 'password') ?? '', 'base64').toString();
}

function stateOf(key: Json): string {
  return stringAt(key, 'metadata', 'annotations', 'sotto.dev/state') ?? 'active';
}

describeReal('sotto rotate --in-cluster --new-sealing', TOOLS, () => {
  test('the agent makes a sealing key and seals everything for it, once for each rotation', async () => {
    const recovery = await newAgeKeyPair();
    await using world = await createWorld({
      top: `sealing: { enabled: true, recovery: [ ${recovery.recipient} ] }`,
    });
    const pushing = allowPushing(world);
    await pushing.secret();
    await world.repository.commit(await world.canaryFile(), 'first');
    await using agent = await world.start();
    await world.until('a key', (status) => stringAt(status, 'sealing', 'fingerprint') !== undefined);
    const [old] = await sealingKeys(world);
    const before = `# the database\n${await sealedFor(world, old, 0)}`;
    const base = await world.repository.commit({ 'deploy/db.yaml': before }, 'sealed');
    await eventually('it is live', async () => ((await password(world)) === world.value(0) ? true : undefined));
    const person = await personIn(world);
    const rotate = (): ReturnType<typeof person.sotto> =>
      person.sotto(['rotate', '--in-cluster', '--new-sealing', '--yes']);

    const { exit, stdout } = await rotate();
    expect({ exit, stdout }).toMatchObject({ exit: 0 });
    const [, branch = '', commit = ''] = /branch (\S+) of \S+ is at ([0-9a-f]{40})/.exec(stdout) ?? [];
    const after = (await world.repository.git(['show', `${commit}:deploy/db.yaml`])).toString();
    const blob = /Ag[A-D][A-Za-z0-9+/=]{600,}/g;
    expect(after).not.toBe(before);
    expect(after.replaceAll(blob, 'SEALED')).toBe(before.replaceAll(blob, 'SEALED'));
    expect((await world.repository.head()).trim()).toBe(base);
    const keys = await sealingKeys(world);
    expect(keys.map(stateOf).toSorted()).toEqual(['active', 'decrypt-only']);
    const made = keys.find((key) => stateOf(key) === 'active');
    const copies = await world.get(configMapPath(world.namespace, 'sotto-recovery'));
    expect(stringAt(copies, 'data', `${stringAt(made, 'metadata', 'name') ?? ''}.age`)).toContain('BEGIN AGE');
    const key = join(world.folder, 'made.key');
    writeFileSync(key, Buffer.from(stringAt(made, 'data', 'tls.key') ?? '', 'base64'), { mode: 0o600 });
    const opened = await stockOutput('kubeseal', ['--recovery-unseal', '--recovery-private-key', key], {
      stdin: after,
    });
    expect(opened.toString()).toContain(Buffer.from(world.value(0)).toString('base64'));

    // The same again, as after an answer that was lost: the same branch, and no other key.
    expect((await rotate()).stdout).toContain(
      `branch ${branch} of ${world.git.url(world.repository)} is at ${commit} already`,
    );
    expect(await sealingKeys(world)).toHaveLength(2);
    // Merged, it is a rotation of its own.
    await world.repository.forceTo(commit);
    const next = await rotate();
    expect(next.stdout).toContain('branch sotto-rotate-');
    expect(next.stdout).not.toContain(`branch ${branch} `);
    expect((await sealingKeys(world)).map(stateOf).toSorted()).toEqual(['active', 'decrypt-only', 'decrypt-only']);
    expect(await password(world)).toBe(world.value(0));
    await agent.stop();
  });
});
