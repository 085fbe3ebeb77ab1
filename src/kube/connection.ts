import type { Clock } from '../core/clock.ts';
import { SottoError } from '../core/errors.ts';
import type { Connection } from './api-server.ts';
import { inClusterConnection, isInCluster } from './in-cluster.ts';
import { defaultKubeconfig, kubeconfigConnection } from './kubeconfig.ts';

export type { AuthHeaders, Connection } from './api-server.ts';

export interface ConnectionSource {
  /** `--kubeconfig` and `--context`. */
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly env: {
    readonly KUBECONFIG?: string | undefined;
    readonly HOME?: string | undefined;
    readonly KUBERNETES_SERVICE_HOST?: string | undefined;
    readonly KUBERNETES_SERVICE_PORT?: string | undefined;
  };
  /** The folder a Pod finds its token in. */
  readonly serviceAccountFolder?: string | undefined;
  readonly clock: Clock;
}

const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** As kubectl chooses: the file named, KUBECONFIG, ~/.kube/config, the Pod's service account. Throws SottoError. */
export async function loadConnection(source: ConnectionSource): Promise<Connection> {
  const { kubeconfig, env, context } = source;
  const serviceAccount = { folder: source.serviceAccountFolder ?? SERVICE_ACCOUNT_FOLDER, env, clock: source.clock };
  const files = kubeconfig === undefined ? await defaultKubeconfig(env) : [kubeconfig];
  if (files.length > 0) return kubeconfigConnection({ files, context, clock: source.clock });
  if (context === undefined && (await isInCluster(serviceAccount))) return inClusterConnection(serviceAccount);
  throw new SottoError({
    code: 'SOTTO-KUBE-020',
    what: 'No cluster to talk to',
    why: 'no kubeconfig was found (--kubeconfig, KUBECONFIG, ~/.kube/config), and this is not a Pod with a service account token',
    next: 'sotto … --kubeconfig FILE',
  });
}
