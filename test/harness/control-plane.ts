import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { connectControlPlane } from '../../src/demo/control-plane.ts';
import type { ControlPlaneClient, PolicyRule, ServiceAccountAccess } from '../../src/demo/control-plane.ts';
import { SIDE_BY_SIDE } from './side-by-side.ts';

/** The control plane that the tests of this worker share, one file after the other. */
export async function sharedControlPlane(): Promise<ControlPlaneClient> {
  const worker = Number(process.env['VITEST_POOL_ID'] ?? 1);
  const access = inject('controlPlanes')[(worker - 1) % SIDE_BY_SIDE];
  if (access === undefined)
    throw new Error('the control plane is not there: name kube-apiserver and etcd in describeReal');
  return connectControlPlane(access);
}

export interface TestNamespace extends Disposable {
  readonly plane: ControlPlaneClient;
  readonly namespace: string;
  /** Bound to a Role of its own with the rules of the test. */
  readonly account: ServiceAccountAccess;
}

export interface NamespaceOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly accountName?: string;
  /** Another control plane than the shared one; it stays open. */
  readonly plane?: ControlPlaneClient | undefined;
}

/** A namespace and a service account that no other test knows. They go with the control plane. */
export async function namespaceForTest(
  rules: readonly PolicyRule[],
  options: NamespaceOptions = {},
): Promise<TestNamespace> {
  const plane = options.plane ?? (await sharedControlPlane());
  const namespace = `test-${randomBytes(5).toString('hex')}`;
  await plane.createNamespace(namespace, options.labels);
  const account = await plane.createServiceAccount(namespace, options.accountName ?? 'sotto', rules);
  return { plane, namespace, account, [Symbol.dispose]: () => void (options.plane ?? plane[Symbol.dispose]()) };
}
