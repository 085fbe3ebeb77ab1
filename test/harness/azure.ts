import { constants, generateKeyPairSync, privateDecrypt, publicEncrypt } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { type Listener, type ListenerAnswer, startListener } from './service-listener.ts';

/**
 * As much of Azure Key Vault and of the login server as clients of SOPS files use, behind TLS at loopback, with a real RSA
 * key. Its certificate is for their own names too, and a proxy leads there whatever is asked for: stock sops, which
 * uses Azure's library, speaks to it without knowing.
 */
export interface Azure extends Listener {
  /** For stock sops: `HTTPS_PROXY`. */
  readonly proxy: string;
  /** What was asked, in order: `token`, `decrypt`. */
  readonly seen: string[];
  /** What is answered next instead, once. */
  readonly troubles: { readonly of: 'login' | 'vault'; readonly status: number; readonly body: string }[];
}

export const AZURE_VAULT = 'https://team.vault.azure.net';
export const AZURE_NAME = 'sops-app';
export const AZURE_VERSION = '0123456789abcdef0123456789abcdef';
export const AZURE_TENANT = '11111111-2222-3333-4444-555555555555';
export const AZURE_CLIENT = '66666666-7777-8888-9999-000000000000';
/** With what a form writes otherwise. */
export const AZURE_SECRET = 'a8Q~secret+of/an=application&more%';
const LOGIN = 'login.microsoftonline.com';
const ACCESS_TOKEN = 'eyJ0eXAiOiJKV1Qi.of-the.application';

export async function startAzure(): Promise<Azure> {
  const [seen, troubles] = [[] as string[], [] as Azure['troubles']];
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };

  const vault = (request: IncomingMessage, body: Buffer): ListenerAnswer => {
    const [path = '', query] = (request.url ?? '').split('?');
    const verb = path.replace(/^.*\//, '');
    if (request.headers.authorization !== `Bearer ${ACCESS_TOKEN}`) return [401, JSON_TYPE, '{}', CHALLENGE];
    if (path === `/keys/${AZURE_NAME}/` && request.method === 'GET') {
      const kid = `${AZURE_VAULT}/keys/${AZURE_NAME}/${AZURE_VERSION}`;
      return [200, JSON_TYPE, JSON.stringify({ key: { kid, kty: 'RSA', key_ops: ['encrypt', 'decrypt'] } })];
    }
    const { alg, value = '' } = JSON.parse(body.toString()) as { readonly alg?: string; readonly value?: string };
    const isKnown = path === `/keys/${AZURE_NAME}/${AZURE_VERSION}/${verb}` && /^api-version=\d/.test(query ?? '');
    if (!isKnown || alg !== 'RSA-OAEP-256') return problem(404);
    const bytes = Buffer.from(value, 'base64url');
    try {
      const result =
        verb === 'encrypt'
          ? publicEncrypt({ key: publicKey, ...padding }, bytes)
          : privateDecrypt({ key: privateKey, ...padding }, bytes);
      return [200, JSON_TYPE, JSON.stringify({ kid: `${AZURE_VAULT}${path}`, value: result.toString('base64url') })];
    } catch {
      return problem(400);
    }
  };
  const answerTo = (request: IncomingMessage, body: Buffer): ListenerAnswer => {
    const path = (request.url ?? '').replace(/\?.*$/, '');
    const isLogin = !path.startsWith('/keys/');
    seen.push(path.replace(/^.*\/(?=.)/, ''));
    const at = troubles.findIndex(({ of }) => (of === 'login') === isLogin);
    const [trouble] = at === -1 ? [] : troubles.splice(at, 1);
    if (trouble !== undefined) return [trouble.status, JSON_TYPE, trouble.body];
    return isLogin ? login(path, body) : vault(request, body);
  };

  const listener = await startListener(answerTo, { tls: true, hosts: ['team.vault.azure.net', LOGIN] });
  const proxy = await startProxy(listener.port);
  return {
    ...listener,
    proxy: `http://127.0.0.1:${String((proxy.address() as AddressInfo).port)}`,
    seen,
    troubles,
    async [Symbol.asyncDispose]() {
      proxy.close();
      await listener[Symbol.asyncDispose]();
    },
  };
}

const JSON_TYPE = 'application/json';
const CHALLENGE = {
  'www-authenticate': `Bearer authorization="https://${LOGIN}/${AZURE_TENANT}", resource="https://vault.azure.net"`,
};

function problem(status: number): ListenerAnswer {
  return [status, JSON_TYPE, JSON.stringify({ error: { code: 'BadParameter', message: 'hunter2' } })];
}

/** Azure's own library looks around before it asks for a token. */
function login(path: string, body: Buffer): ListenerAnswer {
  const base = `https://${LOGIN}/${AZURE_TENANT}`;
  if (path.endsWith('/discovery/instance')) {
    const cloud = { preferred_network: LOGIN, preferred_cache: 'login.windows.net', aliases: [LOGIN] };
    return told({ tenant_discovery_endpoint: `${base}/v2.0/.well-known/openid-configuration`, metadata: [cloud] });
  }
  if (path.endsWith('/openid-configuration')) {
    const endpoints = {
      authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
      token_endpoint: `${base}/oauth2/v2.0/token`,
    };
    return told({ ...endpoints, issuer: `${base}/v2.0` });
  }
  const form = new URLSearchParams(body.toString());
  const isMine = form.get('client_id') === AZURE_CLIENT && form.get('client_secret') === AZURE_SECRET;
  const scopes = (form.get('scope') ?? '').split(' ');
  if (path !== `/${AZURE_TENANT}/oauth2/v2.0/token` || form.get('grant_type') !== 'client_credentials' || !isMine) {
    return [401, JSON_TYPE, JSON.stringify({ error: 'invalid_client', error_description: `hunter2 ${AZURE_SECRET}` })];
  }
  if (!scopes.includes('https://vault.azure.net/.default')) return [400, JSON_TYPE, '{"error":"invalid_scope"}'];
  return told({ token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: ACCESS_TOKEN });
}

function told(answer: unknown): ListenerAnswer {
  return [200, JSON_TYPE, JSON.stringify(answer)];
}

/** Every name is this listener. */
async function startProxy(port: number): Promise<Server> {
  const proxy = createServer((socket) => {
    socket.once('data', () => {
      const inside = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(inside).pipe(socket);
      });
      inside.on('error', () => socket.destroy());
    });
    socket.on('error', () => socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return proxy;
}
