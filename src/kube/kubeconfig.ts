import { readFile, stat } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { delimiter, dirname, join, resolve } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import type { Clock } from '../core/clock.ts';
import { SottoError } from '../core/errors.ts';
import { arrayAt, stringAt } from '../core/json.ts';
import type { AuthHeaders, Connection } from './api-server.ts';
import { shortText } from './failure.ts';
import { TokenFile } from './in-cluster.ts';
import { isLoopback, serverUrl } from './server-url.ts';

export interface KubeconfigSource {
  /** The first that defines a name wins, as in kubectl. */
  readonly files: readonly string[];
  readonly context: string | undefined;
  readonly clock: Clock;
}

/** The files kubectl would read; none when there is nothing. */
export async function defaultKubeconfig(env: {
  readonly KUBECONFIG?: string | undefined;
  readonly HOME?: string | undefined;
}): Promise<string[]> {
  const listed = (env.KUBECONFIG ?? '').split(delimiter).filter((path) => path !== '');
  if (listed.length > 0) return listed;
  if ((env.HOME ?? '') === '') return [];
  const path = join(env.HOME ?? '', '.kube', 'config');
  return (await isFile(path)) ? [path] : [];
}

/** A kubeconfig's context. client-node reads the files and runs exec plugins; its transport is not used. */
export async function kubeconfigConnection(source: KubeconfigSource): Promise<Connection> {
  const first = await loadKubeconfig(source);
  const { cluster, context } = first;
  if ((cluster.proxyUrl ?? '') !== '') throw proxyRefused(source);
  const server = serverUrl(cluster.server, { file: source.files[0] });
  let loaded = first;
  let tls = await loaded.httpsOptions();
  const { ca, cert, key, servername, rejectUnauthorized } = tls;
  return {
    server,
    namespace: context.namespace ?? 'default',
    tls: withoutUndefined({ ca, cert, key, servername, rejectUnauthorized }),
    authorize: async (force) => {
      // A new reading forgets what exec plugins had given and sees a kubeconfig that was renewed.
      if (force) loaded = await loadKubeconfig(source);
      tls = await loaded.httpsOptions();
      return { ...headersOf(tls), ...(await loaded.tokenFromFile(force)) };
    },
    user: `context ${context.name}, user ${context.user}`,
    warnings: rejectUnauthorized === false && !isLoopback(server) ? [UNVERIFIED] : [],
  };
}

const UNVERIFIED =
  'insecure-skip-tls-verify: the API server is not verified, so anybody on the way can read what is sent, secrets included';

interface LoadedKubeconfig {
  readonly cluster: { readonly server: string; readonly proxyUrl?: string | undefined };
  readonly context: { readonly name: string; readonly user: string; readonly namespace?: string | undefined };
  httpsOptions(): Promise<RequestOptions>;
  tokenFromFile(force: boolean): Promise<AuthHeaders>;
}

async function loadKubeconfig(source: KubeconfigSource): Promise<LoadedKubeconfig> {
  const { config, tokenFiles } = await readFiles(source.files);
  const contextName = source.context ?? config.currentContext;
  if (!config.contexts.some((context) => context.name === contextName)) throw unknownContext(source, config);
  config.setCurrentContext(contextName);
  const context = config.getContextObject(contextName);
  const cluster = config.getCurrentCluster();
  if (context === null || cluster === null) throw unusable(source.files[0], `context ${contextName} names no cluster`);
  const tokenFile = tokenFiles.get(context.user);
  const token = tokenFile === undefined ? undefined : new TokenFile(tokenFile, source.clock);
  return {
    cluster,
    context: { name: contextName, user: context.user, namespace: context.namespace },
    httpsOptions: () => httpsOptions(config, contextName),
    tokenFromFile: async (force) => (token === undefined ? {} : { Authorization: `Bearer ${await token.read(force)}` }),
  };
}

async function readFiles(
  files: readonly string[],
): Promise<{ readonly config: KubeConfig; readonly tokenFiles: ReadonlyMap<string, string> }> {
  const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js');
  const merged = new KubeConfig();
  const tokenFiles = new Map<string, string>();
  for (const file of files) {
    const one = new KubeConfig();
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      throw unusable(file, error instanceof Error && 'code' in error ? String(error.code) : 'it cannot be read');
    });
    try {
      one.loadFromString(text);
    } catch (error) {
      throw unusable(file, shortText(error instanceof Error ? error.message.split('\n')[0] : '') ?? 'not YAML');
    }
    one.makePathsAbsolute(dirname(resolve(file)));
    const clusters = one.clusters.filter((item) => !isNamed(merged.clusters, item.name));
    // Plain http is judged by serverUrl; client-node would refuse it without this flag.
    merged.clusters.push(
      ...clusters.map((item) => (item.server.startsWith('http:') ? { ...item, skipTLSVerify: true } : item)),
    );
    merged.contexts.push(...one.contexts.filter((item) => !isNamed(merged.contexts, item.name)));
    merged.users.push(...one.users.filter((item) => !isNamed(merged.users, item.name)));
    merged.currentContext ??= one.currentContext;
    for (const [user, path] of await tokenFilesOf(text, file)) if (!tokenFiles.has(user)) tokenFiles.set(user, path);
  }
  return { config: merged, tokenFiles };
}

function isNamed(items: readonly { readonly name: string }[], name: string): boolean {
  return items.some((item) => item.name === name);
}

/** `tokenFile` of each user, which KubeConfig of client-node 2.0 does not know. */
async function tokenFilesOf(text: string, file: string): Promise<Map<string, string>> {
  if (!text.includes('tokenFile')) return new Map();
  const { load } = await import('js-yaml');
  const users = arrayAt(load(text), 'users').flatMap((entry) => {
    const [name, path] = [stringAt(entry, 'name'), stringAt(entry, 'user', 'tokenFile')];
    return name === undefined || path === undefined ? [] : [[name, resolve(dirname(resolve(file)), path)] as const];
  });
  return new Map(users);
}

async function httpsOptions(config: KubeConfig, contextName: string): Promise<RequestOptions> {
  const options: RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    const text = error instanceof Error ? shortText(error.message.split('\n')[0]) : undefined;
    throw new SottoError(
      {
        code: 'SOTTO-KUBE-024',
        what: 'The credentials of the kubeconfig cannot be had',
        why: `context ${contextName}: ${text ?? 'the credential plugin failed'}`,
        next: `kubectl --context ${contextName} auth whoami`,
      },
      { cause: error },
    );
  }
  return options;
}

function headersOf(options: RequestOptions): AuthHeaders {
  const basic = typeof options.auth === 'string' ? { Authorization: `Basic ${base64(options.auth)}` } : {};
  const entries = Object.entries(options.headers ?? {}).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value] as const] : [],
  );
  return { ...basic, ...Object.fromEntries(entries) };
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

function withoutUndefined(tls: { [Key in keyof Connection['tls']]: Connection['tls'][Key] }): Connection['tls'] {
  return Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

function unusable(file: string | undefined, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KUBE-019',
    what: 'The kubeconfig cannot be used',
    why,
    next: 'kubectl config view',
    file,
  });
}

function unknownContext(source: KubeconfigSource, config: KubeConfig): SottoError {
  const wanted = source.context ?? config.currentContext;
  const names = config.contexts.map((context) => context.name).slice(0, 10);
  return new SottoError({
    code: 'SOTTO-KUBE-021',
    what: wanted === undefined ? 'The kubeconfig names no current context' : `There is no context ${wanted}`,
    why: names.length === 0 ? 'the kubeconfig has no contexts' : `there are: ${names.join(', ')}`,
    next: '--context NAME, or kubectl config use-context NAME',
    file: source.files[0],
  });
}

function proxyRefused(source: KubeconfigSource): SottoError {
  return new SottoError({
    code: 'SOTTO-KUBE-023',
    what: 'proxy-url of the kubeconfig: not in this version',
    why: 'requests are sent to the API server directly',
    next: 'use a context without proxy-url, or a tunnel on this machine',
    file: source.files[0],
  });
}
