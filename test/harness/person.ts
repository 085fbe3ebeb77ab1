import type { PolicyRule } from '../../src/demo/control-plane.ts';
import { type CliResult, sotto } from '../cli/session.ts';
import type { World } from './world.ts';

/** What Role `sotto-requests` of deploy/ gives: ask the agent, read its answers, nothing else. */
export const REQUEST_RULES: readonly PolicyRule[] = [
  {
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: ['sotto-requests'],
    verbs: ['get', 'patch', 'update'],
  },
  { apiGroups: [''], resources: ['configmaps'], resourceNames: ['sotto-status'], verbs: ['get', 'list', 'watch'] },
];

/** Somebody with rights of their own in the namespace of a world, at the command line. */
export interface Person {
  readonly user: string;
  /** The namespace and the kubeconfig are named already. */
  sotto(
    args: readonly string[],
    options?: { readonly stdin?: string; readonly terminal?: boolean },
  ): Promise<CliResult>;
}

export async function personIn(
  world: World,
  rules: readonly PolicyRule[] = REQUEST_RULES,
  name = 'person',
): Promise<Person> {
  const { user, kubeconfigPath } = await world.own.plane.createServiceAccount(world.namespace, name, rules);
  return {
    user,
    sotto: (args, options = {}) =>
      sotto([...args, '-n', world.namespace, '--kubeconfig', kubeconfigPath], { cwd: world.folder, ...options }),
  };
}
