import type { PolicyRule, ServiceAccountAccess } from '../../src/demo/control-plane.ts';
import type { RunningAgent } from './agent.ts';
import { untilTried } from './attention.ts';
import { type Checkout, clone } from './checkout.ts';
import { WEB, webPath } from './restarting-workload.ts';
import { rolledOut } from './rollout.ts';
import { secret, type World } from './world.ts';

/** What docs/rotation.md says of who rotates with the agent, and no more. */
export const ROTATOR: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'create', 'patch'] },
  { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch', 'patch', 'create'] },
  { apiGroups: ['apps'], resources: ['deployments', 'statefulsets', 'daemonsets'], verbs: ['list'] },
];

/** Secret `db` as a SOPS file, and a workload that restarts with it: live, and a checkout of somebody who may rotate. */
export async function readyToRotate(world: World): Promise<{
  readonly agent: RunningAgent;
  readonly person: ServiceAccountAccess;
  readonly checkout: Checkout;
}> {
  const person = await world.own.plane.createServiceAccount(world.namespace, 'kim', ROTATOR);
  const manifest = JSON.stringify(secret('db', { password: world.value(0) }));
  const encrypted = await world.sops(`# the database\n${manifest}\n`, 'db.yaml');
  const files = {
    'deploy/db.yaml': encrypted,
    'deploy/web.yaml': WEB,
    '.sops.yaml': `creation_rules:\n- encrypted_regex: ^(data|stringData)$\n  age: ${world.recipient}\n`,
  };
  const commit = await world.repository.commit(files, 'first');
  const agent = await world.start();
  await untilTried(world, commit);
  await rolledOut(world, webPath(world));
  return { agent, person, checkout: clone(world, person) };
}
