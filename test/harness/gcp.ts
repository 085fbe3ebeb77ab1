import { createCipheriv, createDecipheriv, createVerify, generateKeyPairSync, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type Listener, type ListenerAnswer, type ListenerOptions, startListener } from './service-listener.ts';

/**
 * As much of the REST interface of Google Cloud KMS as clients of SOPS files use, at loopback: whoever brings no
 * statement that the account signed is sent away. It is proved by stock sops, which uses Google's library.
 */
export interface Gcp extends Listener {
  /** The JSON file of the account. */
  readonly account: string;
  /** Another key under the same names. */
  readonly impostor: string;
  /** What was asked, in order: `decrypt`. */
  readonly seen: string[];
  /** A status that is answered next instead, once. */
  readonly troubles: number[];
}

export const GCP_KEY = 'projects/example/locations/europe-west3/keyRings/sops/cryptoKeys/app';
const ACCESS_TOKEN = 'ya29.of-stock-sops';
const EMAIL = 'sops@example.iam.gserviceaccount.com';

export async function startGcp(options: ListenerOptions = {}): Promise<Gcp> {
  const [seen, troubles, key] = [[] as string[], [] as number[], randomBytes(32)];
  const pairs = [0, 1].map(() => generateKeyPairSync('rsa', { modulusLength: 2048 }));
  const [pair, other] = pairs.map(({ privateKey }) => privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  const publicPem = pairs[0]?.publicKey.export({ type: 'spki', format: 'pem' }).toString() ?? '';
  const answerTo = (request: IncomingMessage, body: Buffer): ListenerAnswer => {
    const path = (request.url ?? '').replace(/\?.*$/, '');
    if (path === '/token') return exchanged(new URLSearchParams(body.toString()).get('assertion') ?? '', publicPem);
    const verb = path.replace(/^.*:/, '');
    seen.push(verb);
    const trouble = troubles.shift();
    if (trouble !== undefined) return problem(trouble);
    const { authorization = '' } = request.headers;
    const bearer = authorization.replace(/^Bearer /, '');
    if (bearer !== ACCESS_TOKEN && !isStatement(bearer, publicPem)) return problem(401);
    if (path !== `/v1/${GCP_KEY}:${verb}` || request.method !== 'POST') return problem(404);
    return kms(verb, body.toString(), key);
  };
  const listener = await startListener(answerTo, options);
  const tokenUri = `${listener.address}/token`;
  return {
    ...listener,
    account: accountFile(pair ?? '', tokenUri),
    impostor: accountFile(other ?? '', tokenUri),
    seen,
    troubles,
  };
}

/** Where stock sops, in its REST mode, has a statement exchanged for a token; over gRPC it shows the statement, as sotto does. */
function exchanged(assertion: string, publicPem: string): ListenerAnswer {
  if (!isStatement(assertion, publicPem)) return problem(400);
  const token = { access_token: ACCESS_TOKEN, expires_in: 3599, token_type: 'Bearer' };
  return [200, 'application/json', JSON.stringify(token)];
}

function accountFile(privateKey: string, tokenUri: string): string {
  return JSON.stringify({
    type: 'service_account',
    project_id: 'example',
    private_key_id: '0123456789abcdef0123456789abcdef01234567',
    private_key: privateKey,
    client_email: EMAIL,
    client_id: '123456789012345678901',
    token_uri: tokenUri,
    universe_domain: 'googleapis.com',
  });
}

function problem(status: number): ListenerAnswer {
  return [status, 'application/json', JSON.stringify({ error: { code: status, message: 'hunter2', status: 'X' } })];
}

function isStatement(token: string, publicPem: string): boolean {
  const [head = '', claims = '', signature = ''] = token.split('.');
  const isSigned = createVerify('RSA-SHA256').update(`${head}.${claims}`).verify(publicPem, signature, 'base64url');
  if (!isSigned) return false;
  const said = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Readonly<Record<string, unknown>>;
  const nowS = Date.now() / 1000;
  const scopes = String(said['scope']).split(' ');
  const isKms = ['cloudkms', 'cloud-platform'].some((name) =>
    scopes.includes(`https://www.googleapis.com/auth/${name}`),
  );
  const [iat, exp] = [Number(said['iat']), Number(said['exp'])];
  return (
    said['iss'] === EMAIL &&
    [undefined, '', EMAIL].some((subject) => subject === said['sub']) &&
    isKms &&
    iat < nowS + 60 &&
    exp > nowS &&
    exp - iat <= 3700
  );
}

interface KmsRequest {
  readonly plaintext?: string;
  readonly ciphertext?: string;
}

const answered = (fields: Readonly<Record<string, string>>): ListenerAnswer => [
  200,
  'application/json',
  JSON.stringify(fields),
];

function kms(verb: string, body: string, key: Buffer): ListenerAnswer {
  const request = JSON.parse(body) as KmsRequest;
  if (verb === 'encrypt') {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    const pieces = [nonce, cipher.update(request.plaintext ?? '', 'base64'), cipher.final(), cipher.getAuthTag()];
    return answered({ name: `${GCP_KEY}/cryptoKeyVersions/1`, ciphertext: Buffer.concat(pieces).toString('base64') });
  }
  const sealed = Buffer.from(request.ciphertext ?? '', 'base64');
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12)).setAuthTag(sealed.subarray(-16));
    const plain = Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
    return answered({ plaintext: plain.toString('base64') });
  } catch {
    return problem(400);
  }
}
