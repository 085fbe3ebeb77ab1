import { SottoError } from '../core/errors.ts';
import type { AzureKey } from '../sops/service-key.ts';
import { type AzureCloud, azureCloudOf } from './azure-place.ts';
import { clientToken } from './azure-token.ts';
import type { ServiceCall } from './call.ts';
import type { AzureToken, ServiceCredential } from './credential.ts';
import { badCredential, badName } from './failure.ts';
import { base64UrlAt, jsonWithBase64Url, textAt } from './json.ts';
import type { Circumstances, Protocol, ServiceRequest } from './protocol.ts';
import { originOf, type Permission } from './rules.ts';

/** Azure Key Vault: an RSA key wraps the data key, asked as an application that has a secret. */
export function azureKvProtocol(key: AzureKey, { sessionEndpoint }: Permission): Protocol {
  const cloud = azureCloudOf(key.vaultUrl);
  const place = { login: sessionEndpoint ?? cloud?.login ?? '', resource: cloud?.resource ?? '' };
  return {
    problem: problemOf(key, cloud),
    origin: originOf(key.vaultUrl) ?? key.vaultUrl,
    credential: 'azure_kv',
    isWrapped: (enc) => /^[\w-]{4,2000}$/.test(enc),
    newest: {
      prepare: async (credential, circumstances) => {
        const token = await tokenFor(key, credential, place, circumstances);
        return token instanceof SottoError ? token : newestCall(key, token, credential.ca);
      },
      keyIn: (answer) => newestIn(key, answer),
    },
    prepare: async (request, credential, circumstances) => {
      if (key.version === '') return badName(key, 'its version is missing');
      const token = await tokenFor(key, credential, place, circumstances);
      return token instanceof SottoError ? token : keyCall(key, request, token, credential.ca);
    },
    reasonIn: () => undefined,
    dataKeyIn: (answer) => base64UrlAt(answer, 'value'),
    encIn: (answer) => textAt(answer, 'value'),
  };
}

/** Name and version become parts of a path. */
function problemOf({ name, version }: AzureKey, cloud: AzureCloud | undefined): string | undefined {
  if (cloud === undefined) return 'its vault has not a name of Azure, such as https://team.vault.azure.net';
  if (!/^[A-Za-z0-9-]{1,127}$/.test(name)) return 'its name has other characters than letters, digits and -';
  return /^[A-Za-z0-9]{0,64}$/.test(version) ? undefined : 'its version is not letters and digits';
}

async function tokenFor(
  key: AzureKey,
  credential: ServiceCredential,
  cloud: AzureCloud,
  circumstances: Circumstances,
): Promise<AzureToken | SottoError> {
  if (credential.kind !== 'azure_kv') throw new TypeError('asked with the credential of another kind of service');
  if (credential.by === 'token') return credential;
  // Whoever writes the file of a credential does not decide where its secret goes.
  if (credential.authorityHost !== undefined && originOf(credential.authorityHost) !== cloud.login) {
    return badCredential(key, `its authorityHost is not ${cloud.login}; it was not asked`);
  }
  const begin = () => clientToken(key, credential, cloud, circumstances);
  const session = await circumstances.session(`${cloud.login} ${cloud.resource}`, begin);
  if (session instanceof SottoError) return session;
  if (session.secret.kind !== 'azure_kv' || session.secret.by !== 'token') throw new TypeError('no token');
  return session.secret;
}

/** As sops asks when a rule names no version. */
function newestCall({ vaultUrl, name }: AzureKey, token: AzureToken, ca: Uint8Array | undefined): ServiceCall {
  const path = `/keys/${name}/?api-version=${API_VERSION}`;
  return { origin: originIn(vaultUrl), path, method: 'GET', headers: bearer(token), body: Buffer.of(), ca };
}

/** The answer calls the key by its URL, of which only the version is taken. */
function newestIn(key: AzureKey, answer: Uint8Array): AzureKey | undefined {
  const [, version] = /\/keys\/[^/]+\/([A-Za-z0-9]{1,64})$/.exec(textAt(answer, 'key', 'kid') ?? '') ?? [];
  return version === undefined ? undefined : { ...key, version };
}

const API_VERSION = '7.4';
const ALGORITHM = 'RSA-OAEP-256';

function keyCall(
  { vaultUrl, name, version }: AzureKey,
  request: ServiceRequest,
  token: AzureToken,
  ca: Uint8Array | undefined,
): ServiceCall {
  return {
    origin: originIn(vaultUrl),
    path: `/keys/${name}/${version}/${request.verb}?api-version=${API_VERSION}`,
    headers: { ...bearer(token), 'content-type': 'application/json' },
    body:
      request.verb === 'decrypt'
        ? Buffer.from(JSON.stringify({ alg: ALGORITHM, value: request.enc }), 'utf8')
        : jsonWithBase64Url('value', request.dataKey, `,"alg":"${ALGORITHM}"`),
    ca,
  };
}

/** A header is a text; it is gone with the request. */
function bearer({ token }: AzureToken): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${Buffer.from(token.reveal()).toString('latin1')}` };
}

function originIn(vaultUrl: string): string {
  const origin = originOf(vaultUrl);
  if (origin === undefined) throw new TypeError('asked for what is not allowed');
  return origin;
}
