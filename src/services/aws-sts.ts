import { hostname } from 'node:os';
import type { SottoError } from '../core/errors.ts';
import { Sensitive } from '../core/sensitive.ts';
import type { Answer } from '../kube/exchange.ts';
import type { AwsKey } from '../sops/service-key.ts';
import type { ServiceCredential } from './credential.ts';
import { noSession, type Reason, reasonOf } from './failure.ts';
import type { Circumstances } from './protocol.ts';
import type { Session } from './sessions.ts';
import { signedHeaders } from './sigv4.ts';

/** Takes on the role of a key: keys that pass, for an hour as STS gives them. */
export async function assumeRole(
  key: AwsKey,
  credential: ServiceCredential,
  { origin, region }: { readonly origin: string; readonly region: string },
  { call, now }: Pick<Circumstances, 'call' | 'now'>,
): Promise<Session | SottoError> {
  if (credential.kind !== 'kms') throw new TypeError('asked with the credential of another kind of service');
  const body = Buffer.from(form(key.role), 'utf8');
  const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
  const unsigned = { host: new URL(origin).host, region, service: 'sts', headers, body };
  const { ca } = credential;
  const reply = await call({ origin, path: '/', headers: signedHeaders(unsigned, credential, now), body, ca });
  const reason = reasonOf(reply, reasonIn);
  const failed = (why: Reason): SottoError => noSession(key, `${origin} did not give the role ${key.role}`, why, NEXT);
  if (reason !== undefined) return failed(reason);
  const session = reply.kind === 'answer' ? sessionIn(reply.bytes) : undefined;
  if (reply.kind === 'answer') reply.bytes.fill(0);
  return session ?? failed({ passes: false, why: 'its answer is not understood' });
}

const NEXT =
  'let the credential take on the role (sts:AssumeRole, and the trust policy of the role), or see that STS is reached';

/** The session is called as sops calls its own, so that logs of AWS read alike. */
function form(role: string): string {
  const name = `sotto@${hostname()}`.replace(/[^a-zA-Z0-9=,.@_-]/g, '').slice(0, 64);
  return new URLSearchParams({
    Action: 'AssumeRole',
    RoleArn: role,
    RoleSessionName: name,
    Version: '2011-06-15',
  }).toString();
}

function sessionIn(xml: Uint8Array): Session | undefined {
  const [id, secret, token, until] = ['AccessKeyId', 'SecretAccessKey', 'SessionToken', 'Expiration'].map((name) =>
    elementIn(xml, name),
  );
  if (id === undefined || secret === undefined || token === undefined || until === undefined) return undefined;
  const untilMs = Date.parse(Buffer.from(until).toString('latin1'));
  const accessKeyId = Buffer.from(id).toString('latin1');
  if (!Number.isFinite(untilMs) || !/^\w{16,128}$/.test(accessKeyId)) return undefined;
  return {
    untilMs,
    secret: {
      kind: 'kms',
      accessKeyId,
      secretAccessKey: Sensitive.copyOf(secret),
      sessionToken: Sensitive.copyOf(token),
    },
  };
}

/** The text of an element, as bytes: keys and tokens have no character that XML writes otherwise, or a header may not have. */
function elementIn(xml: Uint8Array, name: string): Uint8Array | undefined {
  const text = Buffer.from(xml.buffer, xml.byteOffset, xml.byteLength);
  const [open, close] = [`<${name}>`, `</${name}>`];
  const start = text.indexOf(open, 0, 'latin1');
  const end = text.indexOf(close, start, 'latin1');
  if (start === -1 || end === -1) return undefined;
  const inner = text.subarray(start + open.length, end);
  return inner.length > 0 && inner.every((byte) => byte > 0x20 && byte < 0x7f && byte !== 0x26) ? inner : undefined;
}

function reasonIn({ bytes }: Answer): Reason | undefined {
  const code = elementIn(bytes, 'Code');
  return code && REASONS.get(Buffer.from(code).toString('latin1'));
}

const REASONS: ReadonlyMap<string, Reason> = new Map([
  ['AccessDenied', { passes: false, why: 'the credential may not take it on' }],
  ['ExpiredToken', { passes: false, why: 'the credential has expired' }],
  ['ExpiredTokenException', { passes: false, why: 'the credential has expired' }],
  ['InvalidClientTokenId', { passes: false, why: 'it does not know this access key' }],
  [
    'SignatureDoesNotMatch',
    { passes: false, why: 'the secret access key does not fit its id, or the clock here is wrong' },
  ],
  ['RegionDisabledException', { passes: false, why: 'STS is off in this region' }],
  ['Throttling', { passes: true, why: 'it answers fewer requests than come (throttling)' }],
]);
