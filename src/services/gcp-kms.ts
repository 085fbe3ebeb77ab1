import { createSign } from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import { Sensitive } from '../core/sensitive.ts';
import type { GcpKey } from '../sops/service-key.ts';
import type { ServiceCall } from './call.ts';
import type { GcpAccount, GcpToken, ServiceCredential } from './credential.ts';
import { badCredential } from './failure.ts';
import { isGcpResourceId } from './gcp-place.ts';
import { base64At, jsonWithBase64, textAt } from './json.ts';
import type { Circumstances, Protocol, ServiceRequest } from './protocol.ts';
import type { Permission } from './rules.ts';
import type { Session } from './sessions.ts';

/**
 * The Key Management Service of Google Cloud. A service account proves itself by a statement that it signs: no other
 * server is asked for a token first, and the `token_uri` of its file is not looked at. Google's own libraries do so too.
 */
export function gcpKmsProtocol(key: GcpKey, { endpoint }: Permission): Protocol {
  const origin = endpoint ?? 'https://cloudkms.googleapis.com';
  return {
    problem: isGcpResourceId(key.resourceId)
      ? undefined
      : 'it is not of the form projects/P/locations/L/keyRings/R/cryptoKeys/K',
    origin,
    credential: 'gcp_kms',
    isWrapped: (enc) => /^[A-Za-z0-9+/]{4,8000}={0,2}$/.test(enc),
    prepare: async (request, credential, circumstances) => {
      const token = await tokenFor(key, credential, circumstances);
      return token instanceof SottoError ? token : kmsCall(key, request, origin, token, credential.ca);
    },
    reasonIn: () => undefined,
    dataKeyIn: (answer) => base64At(answer, 'plaintext'),
    encIn: (answer) => textAt(answer, 'ciphertext'),
  };
}

async function tokenFor(
  key: GcpKey,
  credential: ServiceCredential,
  circumstances: Circumstances,
): Promise<GcpToken | SottoError> {
  if (credential.kind !== 'gcp_kms') throw new TypeError('asked with the credential of another kind of service');
  if (credential.by === 'token') return credential;
  const begin = () => Promise.resolve(statement(key, credential, circumstances.now));
  const signed = await circumstances.session('statement', begin);
  if (signed instanceof SottoError) return signed;
  if (signed.secret.kind !== 'gcp_kms' || signed.secret.by !== 'token') throw new TypeError('no token');
  return signed.secret;
}

/** The longest that Google takes. */
const LIFETIME_S = 3600;

/** A JSON Web Token that names the account, the right and the time, signed with the account's key. */
function statement(key: GcpKey, { email, keyId, privateKey }: GcpAccount, now: Date): Session | SottoError {
  const iat = Math.floor(now.getTime() / 1000);
  const head = { alg: 'RS256', typ: 'JWT', kid: keyId };
  const claims = { iss: email, sub: email, scope: SCOPE, iat, exp: iat + LIFETIME_S };
  const signed = [head, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  try {
    const signature = createSign('RSA-SHA256').update(signed).sign(privateKey).toString('base64url');
    const token = Sensitive.copyOf(Buffer.from(`${signed}.${signature}`, 'latin1'));
    return { secret: { kind: 'gcp_kms', by: 'token', token }, untilMs: (iat + LIFETIME_S) * 1000 };
  } catch {
    return badCredential(key, 'its private_key does not sign');
  }
}

const SCOPE = 'https://www.googleapis.com/auth/cloudkms';

function kmsCall(
  { resourceId }: GcpKey,
  request: ServiceRequest,
  origin: string,
  { token }: GcpToken,
  ca: Uint8Array | undefined,
): ServiceCall {
  return {
    origin,
    path: `/v1/${resourceId}:${request.verb}`,
    headers: {
      // A header is a text; it is gone with the request.
      authorization: `Bearer ${Buffer.from(token.reveal()).toString('latin1')}`,
      'content-type': 'application/json',
    },
    body:
      request.verb === 'decrypt'
        ? Buffer.from(JSON.stringify({ ciphertext: request.enc }), 'utf8')
        : jsonWithBase64('plaintext', request.dataKey),
    ca,
  };
}
