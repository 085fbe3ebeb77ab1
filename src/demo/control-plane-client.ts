import { readFile, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import type { PeerCertificate } from 'node:tls';
import { parseJson, stringAt, stringifyJson } from '../core/json.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { auditLogSize, readAuditEntries } from './audit-log.ts';
import type { AuditEntry, AuditQuery } from './audit-log.ts';

/** Everything needed to talk to a control plane that another process started. Plain data: it can be handed on. */
export interface ControlPlaneAccess {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  readonly caPath: string;
  readonly adminCertificatePath: string;
  readonly adminKeyPath: string;
  readonly adminKubeconfigPath: string;
  readonly auditLogPath: string;
  /** SHA-256 of the server's certificate: no other server is spoken to, whatever answers on that port. */
  readonly serverFingerprint: string;
}

export interface AdminAnswer {
  readonly status: number;
  readonly body: Json;
}

export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

export interface ServiceAccountAccess {
  /** As the audit log names it. */
  readonly user: string;
  readonly token: string;
  readonly kubeconfigPath: string;
}

export interface ControlPlaneClient extends Disposable {
  readonly access: ControlPlaneAccess;
  /** A request as cluster admin. Any HTTP status is an answer; only a broken connection throws. */
  admin(method: string, path: string, body?: JsonObject | string, contentType?: string): Promise<AdminAnswer>;
  createNamespace(name: string, labels?: Readonly<Record<string, string>>): Promise<void>;
  /** A service account with a Role of its own in that namespace, and a token for it. */
  createServiceAccount(
    namespace: string,
    name: string,
    rules: readonly PolicyRule[],
    tokenSeconds?: number,
  ): Promise<ServiceAccountAccess>;
  /** The place in the audit log up to now, for `since`. */
  auditMark(): Promise<number>;
  auditEntries(query?: AuditQuery): Promise<readonly AuditEntry[]>;
}

const ADMIN_TIMEOUT_MS = 30_000;
const TOKEN_SECONDS = 6 * 3600;

export async function connectControlPlane(access: ControlPlaneAccess): Promise<ControlPlaneClient> {
  const agent = new Agent({
    keepAlive: true,
    ca: await readFile(access.caPath),
    cert: await readFile(access.adminCertificatePath),
    key: await readFile(access.adminKeyPath),
    checkServerIdentity: (_host, certificate) => wrongServer(certificate, access.serverFingerprint),
  });
  const admin: ControlPlaneClient['admin'] = (method, path, body, contentType) =>
    send(agent, access.url, method, path, body, contentType);
  const create = async (path: string, body: JsonObject): Promise<Json> => {
    const answer = await admin('POST', path, body);
    if (answer.status !== 201)
      throw new Error(`POST ${path}: ${answer.status} ${stringAt(answer.body, 'message') ?? ''}`);
    return answer.body;
  };
  return {
    access,
    admin,
    async createNamespace(name, labels = {}) {
      await create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
    },
    createServiceAccount: (namespace, name, rules, tokenSeconds = TOKEN_SECONDS) =>
      createServiceAccount(access, create, { namespace, name, rules, tokenSeconds }),
    auditMark: () => auditLogSize(access.auditLogPath),
    auditEntries: (query = {}) => readAuditEntries(access.auditLogPath, query),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

function wrongServer(certificate: PeerCertificate, fingerprint: string): Error | undefined {
  if (certificate.fingerprint256 === fingerprint) return undefined;
  return new Error('another server answers on the port of the test control plane');
}

function send(
  agent: Agent,
  url: string,
  method: string,
  path: string,
  body: JsonObject | string | undefined,
  contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
): Promise<AdminAnswer> {
  return new Promise((resolve, reject) => {
    const headers = { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': contentType }) };
    const outgoing = request(`${url}${path}`, { method, agent, headers, timeout: ADMIN_TIMEOUT_MS }, (incoming) => {
      const pieces: Buffer[] = [];
      incoming.on('data', (piece: Buffer) => pieces.push(piece));
      incoming.once('error', reject);
      incoming.once('end', () => {
        resolve({
          status: incoming.statusCode ?? 0,
          body: parseAnswer(incoming.headers['content-type'], Buffer.concat(pieces).toString()),
        });
      });
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer`)));
    outgoing.once('error', reject);
    outgoing.end(typeof body === 'object' ? stringifyJson(body) : body);
  });
}

/** Probes and metrics answer with plain text: that is a string. */
function parseAnswer(contentType: string | undefined, text: string): Json {
  return contentType?.startsWith('application/json') === true ? parseJson(text) : text;
}

export interface ServiceAccountRequest {
  readonly namespace: string;
  readonly name: string;
  readonly rules: readonly PolicyRule[];
  readonly tokenSeconds: number;
}

async function createServiceAccount(
  access: ControlPlaneAccess,
  create: (path: string, body: JsonObject) => Promise<Json>,
  wanted: ServiceAccountRequest,
): Promise<ServiceAccountAccess> {
  const { namespace, name } = wanted;
  const token = await createBoundAccount(create, wanted);
  const kubeconfigPath = join(access.folder, `kubeconfig-${namespace}-${name}`);
  const caPem = await readFile(access.caPath, 'utf8');
  await writeKubeconfig(kubeconfigPath, { url: access.url, caPem, namespace, user: { token } });
  return { user: `system:serviceaccount:${namespace}:${name}`, token, kubeconfigPath };
}

/** Makes account, Role and RoleBinding with the caller's `create` (which throws when it fails) and gives a token. */
export async function createBoundAccount(
  create: (path: string, body: JsonObject) => Promise<Json>,
  wanted: ServiceAccountRequest,
): Promise<string> {
  const { namespace, name, rules } = wanted;
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const metadata = { name };
  await create(accounts, { metadata });
  await create(`${rbac}/roles`, { metadata, rules: rules.map((rule) => ({ ...rule })) });
  await create(`${rbac}/rolebindings`, {
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  });
  const review = await create(`${accounts}/${name}/token`, { spec: { expirationSeconds: wanted.tokenSeconds } });
  const token = stringAt(review, 'status', 'token');
  if (token === undefined) throw new Error(`no token for service account ${namespace}/${name}`);
  return token;
}

export interface KubeconfigContent {
  readonly url: string;
  /** Absent: what the system trusts. */
  readonly caPem?: string | undefined;
  readonly skipVerification?: boolean;
  readonly serverName?: string | undefined;
  readonly namespace: string;
  readonly user: JsonObject;
}

/** JSON is YAML: every reader of kubeconfigs takes it, and nothing needs quoting rules. */
export async function writeKubeconfig(path: string, content: KubeconfigContent): Promise<void> {
  const name = 'sotto-test';
  const cluster = {
    server: content.url,
    ...(content.caPem === undefined
      ? {}
      : { 'certificate-authority-data': Buffer.from(content.caPem).toString('base64') }),
    ...(content.skipVerification === true ? { 'insecure-skip-tls-verify': true } : {}),
    ...(content.serverName === undefined ? {} : { 'tls-server-name': content.serverName }),
  };
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster }],
    users: [{ name, user: content.user }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: content.namespace } }],
    'current-context': name,
  };
  await writeFile(path, JSON.stringify(kubeconfig, undefined, 2), { mode: 0o600 });
}
