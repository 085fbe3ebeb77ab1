import type { SottoError } from '../core/errors.ts';
import { ownedBytes, Sensitive } from '../core/sensitive.ts';
import type { Answer } from '../kube/exchange.ts';
import type { AzureKey } from '../sops/service-key.ts';
import type { AzureCloud } from './azure-place.ts';
import type { AzureClient } from './credential.ts';
import { isPrintable } from './credential-file.ts';
import { noSession, type Reason, reasonOf } from './failure.ts';
import { plainBytesAt, secondsAt, textAt } from './json.ts';
import type { Circumstances } from './protocol.ts';
import type { Session } from './sessions.ts';

/** A token for the vaults of a cloud, for the secret of an application. */
export async function clientToken(
  key: AzureKey,
  client: AzureClient & { readonly ca: Uint8Array | undefined },
  { login, resource }: AzureCloud,
  { call, now }: Pick<Circumstances, 'call' | 'now'>,
): Promise<Session | SottoError> {
  const reply = await call({
    origin: login,
    path: `/${client.tenantId}/oauth2/v2.0/token`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form(client, resource),
    ca: client.ca,
  });
  const reason = reasonOf(reply, reasonIn);
  const failed = (why: Reason): SottoError => noSession(key, `${login} gave no token`, why, NEXT);
  if (reason !== undefined) return failed(reason);
  const session = reply.kind === 'answer' ? sessionIn(reply.bytes, now) : undefined;
  if (reply.kind === 'answer') reply.bytes.fill(0);
  return session ?? failed({ passes: false, why: 'its answer is not understood' });
}

const NEXT =
  'see that tenantId, clientId and clientSecret are those of an application in use: az ad app credential list --id CLIENT';

/** The secret goes in byte by byte, each as a form has it, and never becomes a text. */
function form({ clientId, clientSecret }: AzureClient, resource: string): Uint8Array {
  const names = new URLSearchParams({
    client_id: clientId,
    grant_type: 'client_credentials',
    scope: `${resource}/.default`,
  });
  const head = Buffer.from(`${names.toString()}&client_secret=`, 'latin1');
  const secret = clientSecret.reveal();
  const body = ownedBytes(head.length + 3 * secret.length);
  body.set(head);
  for (const [at, byte] of secret.entries()) {
    const start = head.length + 3 * at;
    body[start] = 0x25;
    body[start + 1] = HEX.charCodeAt(byte >> 4);
    body[start + 2] = HEX.charCodeAt(byte & 15);
  }
  return body;
}

const HEX = '0123456789ABCDEF';

function sessionIn(answer: Uint8Array, now: Date): Session | undefined {
  const token = plainBytesAt(answer, 'access_token');
  const seconds = secondsAt(answer, 'expires_in');
  if (token === undefined || seconds === undefined || !isPrintable(token)) return undefined;
  return {
    untilMs: now.getTime() + seconds * 1000,
    secret: { kind: 'azure_kv', by: 'token', token: Sensitive.copyOf(token) },
  };
}

function reasonIn({ bytes }: Answer): Reason | undefined {
  return REASONS.get(textAt(bytes, 'error') ?? '');
}

const REASONS: ReadonlyMap<string, Reason> = new Map([
  ['invalid_client', { passes: false, why: 'the client secret is wrong or has expired' }],
  ['unauthorized_client', { passes: false, why: 'the tenant does not know the client' }],
  ['invalid_request', { passes: false, why: 'there is no such tenant, or the client is none' }],
  ['invalid_scope', { passes: false, why: 'it gives no tokens for vaults of this cloud' }],
  ['temporarily_unavailable', { passes: true, why: 'it is not able to now' }],
]);
