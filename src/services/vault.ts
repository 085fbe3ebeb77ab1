import type { SottoError } from '../core/errors.ts';
import type { VaultKey } from '../sops/service-key.ts';
import type { ServiceCall } from './call.ts';
import type { ServiceCredential } from './credential.ts';
import { badCredential } from './failure.ts';
import { base64At, jsonWithBase64, textAt } from './json.ts';
import type { Protocol, ServiceRequest } from './protocol.ts';
import { originOf } from './rules.ts';

/** One part of a path in the URL, which says of itself that it is no other path. */
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}$/;
const WRAPPED = /^vault:v\d+:[A-Za-z0-9+/=]+$/;
const MAX_SEGMENTS = 8;

/** The transit engine of HashiCorp Vault and OpenBao. */
export function vaultProtocol(key: VaultKey): Protocol {
  return {
    problem: problemOf(key),
    origin: originOf(key.address) ?? key.address,
    credential: 'vault',
    isWrapped: (enc) => WRAPPED.test(enc),
    reasonIn: () => undefined,
    prepare: (request, credential) => Promise.resolve(prepare(key, request, credential)),
    dataKeyIn: (answer) => base64At(answer, 'data', 'plaintext'),
    encIn: (answer) => textAt(answer, 'data', 'ciphertext'),
  };
}

/** A path decides which part of Vault is called. */
function problemOf({ enginePath, keyName }: VaultKey): string | undefined {
  const segments = enginePath.split('/');
  if (segments.length > MAX_SEGMENTS || !segments.every((part) => NAME.test(part)))
    return 'its engine path is not names between slashes';
  return NAME.test(keyName) ? undefined : 'its key name has other characters than letters, digits, -, _ and .';
}

function prepare(key: VaultKey, request: ServiceRequest, credential: ServiceCredential): ServiceCall | SottoError {
  const origin = originOf(key.address);
  if (credential.kind !== 'vault' || origin === undefined) throw new TypeError('asked for what is not allowed');
  const token = Buffer.from(credential.token.reveal()).toString('latin1');
  // A header must not end in the middle of it.
  if (!/^[\u0021-\u007e]+$/.test(token)) return badCredential(key, 'the token is not one line of printable characters');
  return {
    origin,
    path: `/v1/${key.enginePath}/${request.verb}/${key.keyName}`,
    headers: { 'x-vault-token': token, 'x-vault-request': 'true', 'content-type': 'application/json' },
    body:
      request.verb === 'decrypt'
        ? Buffer.from(JSON.stringify({ ciphertext: request.enc }), 'utf8')
        : jsonWithBase64('plaintext', request.dataKey),
    ca: credential.ca,
  };
}
