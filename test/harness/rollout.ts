import { numberAt } from '../../src/core/json.ts';
import type { World } from './world.ts';

/** What kube-controller-manager says of a Deployment when every Pod runs the newest version. */
export async function rolledOut(world: World, path: string): Promise<void> {
  const live = await world.get(path);
  const replicas = numberAt(live, 'spec', 'replicas') ?? 1;
  const counts = {
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
    availableReplicas: replicas,
  };
  const conditions = [
    { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable' },
    { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' },
  ];
  const status = { observedGeneration: numberAt(live, 'metadata', 'generation') ?? 0, ...counts, conditions };
  await world.own.plane.admin('PATCH', `${path}/status`, { status }, 'application/merge-patch+json');
}
