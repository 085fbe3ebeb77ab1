import { readFile, stat } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { SottoError } from '../core/errors.ts';
import type { Connection } from './api-server.ts';
import { serverUrl } from './server-url.ts';
import { subjectOf } from './service-account.ts';

export interface ServiceAccount {
  readonly folder: string;
  readonly env: {
    readonly KUBERNETES_SERVICE_HOST?: string | undefined;
    readonly KUBERNETES_SERVICE_PORT?: string | undefined;
  };
  readonly clock: Clock;
}

// The kubelet renews a token when a fifth of its life is left; client-go looks as often.
const TOKEN_AGE_MS = 60_000;

export async function isInCluster(account: ServiceAccount): Promise<boolean> {
  if ((account.env.KUBERNETES_SERVICE_HOST ?? '') === '') return false;
  return stat(join(account.folder, 'token')).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** The Pod's own service account. */
export async function inClusterConnection(account: ServiceAccount): Promise<Connection> {
  const token = new TokenFile(join(account.folder, 'token'), account.clock);
  const [firstToken, ca, namespace] = await Promise.all([
    token.read(true),
    readText(join(account.folder, 'ca.crt')),
    readText(join(account.folder, 'namespace')),
  ]);
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = account.env;
  return {
    server: serverUrl(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`, {}),
    namespace: namespace.trim(),
    tls: { ca },
    authorize: async (force) => ({ Authorization: `Bearer ${await token.read(force)}` }),
    user: subjectOf(firstToken) ?? `service account of namespace ${namespace.trim()}`,
    warnings: [],
  };
}

/** A token in a file that somebody else renews. */
export class TokenFile {
  readonly #path: string;
  readonly #clock: Clock;
  #held: { readonly token: string; readonly atMs: number } | undefined;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  async read(force: boolean): Promise<string> {
    const nowMs = this.#clock.elapsedMs();
    if (!force && this.#held !== undefined && nowMs - this.#held.atMs < TOKEN_AGE_MS) return this.#held.token;
    const token = (await readText(this.#path)).trim();
    this.#held = { token, atMs: nowMs };
    return token;
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new SottoError(
      {
        code: 'SOTTO-KUBE-019',
        what: 'A file with the credentials for the API server cannot be read',
        why: error instanceof Error && 'code' in error ? String(error.code) : 'unreadable',
        next: 'check that the file exists and that this user may read it (in a Pod: automountServiceAccountToken)',
        file: path,
      },
      { cause: error },
    );
  }
}
