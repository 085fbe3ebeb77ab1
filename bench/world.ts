import { delimiter, dirname, join } from 'node:path';
import type { JsonObject } from '../src/core/json.ts';
import type { AuditEntry, ControlPlane, PolicyRule, ServiceAccountAccess } from '../src/demo/control-plane.ts';
import type { GitServer, TestRepository } from '../src/demo/git-server.ts';
import { type AgentProcess, type AgentProgram, startAgent } from './agent-process.ts';
import type { AgeKeyPair, SopsTools } from './repository.ts';

/** What all sizes share: one control plane, one Git server, one key. */
export interface Ground {
  readonly plane: ControlPlane;
  readonly git: GitServer;
  readonly tools: SopsTools & { readonly kustomize: string };
  readonly key: AgeKeyPair;
  readonly program: AgentProgram;
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Tells the person who waits. */
  say(text: string): void;
}

/** A namespace with settings, keys and a service account: what an agent finds when it starts. */
export interface World {
  readonly namespace: string;
  readonly account: ServiceAccountAccess;
  start(): Promise<AgentProcess>;
  settings(interval: string): Promise<void>;
  /** Requests of the agent since the mark, without watches that are still open. */
  requests(since: number): Promise<RequestCount>;
}

export interface RequestCount {
  readonly total: number;
  /** By verb: `patch`, `update`, `create`, `get`, `list`, `watch` (ended ones). */
  readonly byVerb: Readonly<Record<string, number>>;
  readonly watchesOpened: number;
}

export const GIT_USER = { username: 'bench', password: 'bench-password' } as const;

export const ALL_VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];
const RULES: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['secrets', 'configmaps', 'services', 'pods'], verbs: ALL_VERBS },
  { apiGroups: ['apps'], resources: ['deployments'], verbs: ALL_VERBS },
  { apiGroups: ['autoscaling'], resources: ['horizontalpodautoscalers'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
];

export async function createWorld(
  ground: Ground,
  namespace: string,
  repository: TestRepository,
  moreRules: readonly PolicyRule[] = [],
): Promise<World> {
  const { plane, git, key, program, folder, signal } = ground;
  await plane.createNamespace(namespace);
  const account = await plane.createServiceAccount(namespace, 'sotto', [...RULES, ...moreRules]);
  const core = `/api/v1/namespaces/${namespace}`;
  const url = git.url(repository);
  const create = async (collection: string, object: JsonObject): Promise<void> => {
    const answer = await plane.admin('POST', `${core}/${collection}`, { apiVersion: 'v1', ...object });
    if (answer.status !== 201) throw new Error(`${collection}: ${answer.status} ${JSON.stringify(answer.body)}`);
  };
  await create('secrets', {
    kind: 'Secret',
    metadata: { name: 'sops-age' },
    stringData: { 'age.agekey': key.identity },
  });
  await create('secrets', {
    kind: 'Secret',
    metadata: { name: 'git-auth', labels: { 'sotto.dev/use': 'git' }, annotations: { 'sotto.dev/for': url } },
    stringData: { ...GIT_USER, 'ca.crt': git.caPem },
  });
  const settings = (interval: string) => ({ data: { 'sotto.yaml': settingsText(url, interval) } });
  await create('configmaps', { kind: 'ConfigMap', metadata: { name: 'sotto' }, ...settings(FAST_INTERVAL) });
  return {
    namespace,
    account,
    start: () =>
      startAgent({
        program,
        namespace,
        signal,
        kubeconfig: account.kubeconfigPath,
        searchPath: [dirname(ground.tools.kustomize), process.env['PATH'] ?? ''].join(delimiter),
        logPath: join(folder, `${namespace}.log`),
      }),
    async settings(interval) {
      await plane.admin('PATCH', `${core}/configmaps/sotto`, settings(interval));
    },
    requests: async (since) => countRequests(await plane.auditEntries({ user: account.user, since })),
  };
}

/** What an author who waits would set; the product's default is a minute. */
export const FAST_INTERVAL = '1s';
export const DEFAULT_INTERVAL = '1m';

/** No controller manager runs, so no Deployment ever becomes ready: `wait: false`. */
function settingsText(url: string, interval: string): string {
  return `apiVersion: sotto.dev/v1alpha1
kind: Config
decryption: { keys: [ { secretRef: { name: sops-age } } ] }
syncs:
- name: bench
  source: { git: { url: "${url}", ref: { branch: main }, secretRef: { name: git-auth }, interval: ${interval} } }
  path: ./deploy
  wait: false
`;
}

function isOpenWatch({ verb, stage }: AuditEntry): boolean {
  return verb === 'watch' && stage === 'ResponseStarted';
}

function countRequests(entries: readonly AuditEntry[]): RequestCount {
  const counted = entries.filter((entry) => !isOpenWatch(entry));
  const byVerb: Record<string, number> = {};
  for (const { verb } of counted) byVerb[verb] = (byVerb[verb] ?? 0) + 1;
  return { total: counted.length, byVerb, watchesOpened: entries.filter(isOpenWatch).length };
}
