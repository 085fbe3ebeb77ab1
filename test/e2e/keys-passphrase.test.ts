import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrayAt, memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import type { PolicyRule, ServiceAccountAccess } from '../../src/demo/control-plane.ts';
import { ageAtTerminal } from '../harness/age-terminal.ts';
import { untilTried } from '../harness/attention.ts';
import { type Checkout, clone } from '../harness/checkout.ts';
import { secretPath } from '../harness/objects.ts';
import { describeReal } from '../harness/real.ts';
import { startAtTerminal, type TerminalSession } from '../harness/terminal.ts';
import { createWorld, type World } from '../harness/world.ts';

const PASSPHRASE = 'correct horse battery';
const CTRL_C = '\u0003';
const FIRST = 'passphrase for the backup: ';
const AGAIN = 'the same again: ';

const PERSON: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'create', 'patch'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list'] },
];

describeReal('a backup behind a passphrase', ['kube-apiserver', 'etcd', 'sops', 'age-keygen', 'age'], () => {
  let world: World;
  let person: ServiceAccountAccess;
  let checkout: Checkout;
  const file = (name: string): string => join(world.folder, name);

  beforeAll(async () => {
    world = await createWorld({ top: 'sealing: { enabled: true }' });
    person = await world.own.plane.createServiceAccount(world.namespace, 'kim', PERSON);
    const commit = await world.repository.commit(await world.canaryFile(), 'first');
    await using agent = await world.start();
    await untilTried(world, commit);
    await world.until('a key', (status) => stringAt(status, 'sealing', 'fingerprint') !== undefined);
    await agent.stop();
    checkout = clone(world, person);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  /** At a terminal, inside the checkout. */
  const atTerminal = (...args: readonly string[]): TerminalSession => {
    const cluster = ['-n', world.namespace, '--kubeconfig', person.kubeconfigPath];
    return startAtTerminal(['keys', ...args, ...cluster], checkout.folder, { HOME: world.folder });
  };

  async function backup(out: string, first: string, second: string): Promise<TerminalSession> {
    const session = atTerminal('backup', '--passphrase', '--out', file(out));
    await session.says(FIRST);
    session.type(`${first}\r`);
    await session.says(AGAIN);
    session.type(`${second}\r`);
    await session.ended();
    return session;
  }

  test('is typed twice, is not shown, and stock age opens the file with it and with no other', async () => {
    await using session = await backup('keys.age', PASSPHRASE, PASSPHRASE);
    expect(await session.ended()).toBe(0);
    expect(session.shown()).not.toContain('correct');
    expect(session.shown()).toMatch(/ icanon .* echo /s);
    expect(readFileSync(file('keys.age'), 'utf8')).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----/);

    expect(await ageAtTerminal(world.folder, ['-d', '-o', 'wrong.json', 'keys.age'], 'correct horse')).not.toBe(0);
    expect(existsSync(file('wrong.json'))).toBe(false);
    expect(await ageAtTerminal(world.folder, ['-d', '-o', 'keys.json', 'keys.age'], PASSPHRASE)).toBe(0);
    const items = arrayAt(parseJson(readFileSync(file('keys.json'), 'utf8')), 'items');
    expect(items.map((item) => stringAt(item, 'metadata', 'name'))).toEqual(
      expect.arrayContaining(['sops-age', 'sotto-fingerprint']),
    );
    for (const item of items) {
      const live = await world.get(secretPath(world.namespace, stringAt(item, 'metadata', 'name') ?? ''));
      expect(memberAt(item, 'data')).toEqual(memberAt(live, 'data'));
    }
  });

  test('is not made when the two differ, when it is empty, and when it is given up', async () => {
    for (const [first, second] of [
      [PASSPHRASE, 'correct house battery'],
      ['', ''],
    ] as const) {
      await using session = await backup('none.age', first, second);
      expect(await session.ended()).toBe(4);
      expect(session.shown()).toContain('SOTTO-KEYS-041');
    }
    await using session = atTerminal('backup', '--passphrase', '--out', file('none.age'));
    await session.says(FIRST);
    session.type(`correct${CTRL_C}`);
    expect(await session.ended()).toBe(2);
    expect(session.shown()).not.toContain('correct');
    expect(session.shown()).toMatch(/ icanon .* echo /s);
    expect(existsSync(file('none.age'))).toBe(false);
  });

  test('is verified against the repository, and restores what is missing', async () => {
    await using verifying = atTerminal('backup', '--verify', file('keys.age'));
    await verifying.says('passphrase of');
    verifying.type(`${PASSPHRASE}\r`);
    expect(await verifying.ended()).toBe(0);
    expect(verifying.shown()).toContain('all 1 encrypted files');
    const path = secretPath(world.namespace, 'sops-age');
    const before = memberAt(await world.get(path), 'data');
    await world.own.plane.admin('DELETE', path);
    await using restoring = atTerminal('restore', file('keys.age'));
    await restoring.says('passphrase of');
    restoring.type(`${PASSPHRASE}\r`);
    await restoring.says('Make those of');
    restoring.type('y\r');
    expect(await restoring.ended()).toBe(0);
    expect(restoring.shown()).toContain('made: sops-age');
    expect(memberAt(await world.get(path), 'data')).toEqual(before);
  });
});
