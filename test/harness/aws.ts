import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type Listener, type ListenerAnswer, startListener } from './service-listener.ts';

/**
 * As much of AWS KMS and STS as the clients of SOPS files use, at loopback: whoever did not sign a request as Signature
 * Version 4 says is sent away. Written from AWS's own description, and proved by stock sops, which uses AWS's library.
 */
export interface Aws extends Listener {
  /** What was asked, in order: `kms Decrypt`, `sts AssumeRole`. */
  readonly seen: string[];
  /** What is answered next instead, once. */
  readonly troubles: Trouble[];
}

export interface Trouble {
  readonly of: 'kms' | 'sts';
  readonly status: number;
  readonly body: string;
}

export const AWS_ARN = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
export const AWS_ROLE = 'arn:aws:iam::111122223333:role/team/sops';
/** The person's keys. Those of the role are others. */
export const AWS_ID = 'AKIAIOSFODNN7EXAMPLE';
export const AWS_SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const ROLE_KEYS = {
  id: 'ASIAIOSFODNN7EXAMPLE',
  secret: 'role/secret+of+one+hour/EXAMPLEKEYEXAMPLE',
  token: 'IQoJb3JpZ2luX2VjEJr//+==',
};

export async function startAws({ tls = false, needsRole = false } = {}): Promise<Aws> {
  const [seen, troubles, key] = [[] as string[], [] as Trouble[], randomBytes(32)];
  const answerTo = (request: IncomingMessage, body: Buffer): ListenerAnswer => {
    const target = String(request.headers['x-amz-target'] ?? '');
    const service = target === '' ? 'sts' : 'kms';
    const action =
      service === 'kms'
        ? target.replace('TrentService.', '')
        : (new URLSearchParams(body.toString()).get('Action') ?? '');
    seen.push(`${service} ${action}`);
    const type = service === 'kms' ? 'application/x-amz-json-1.1' : 'text/xml';
    const at = troubles.findIndex(({ of }) => of === service);
    const [trouble] = at === -1 ? [] : troubles.splice(at, 1);
    if (trouble !== undefined) return [trouble.status, type, trouble.body];
    const signer = signerOf(request, body, service);
    if (service === 'sts') return signer === AWS_ID ? assumed(body) : [403, type, xmlError('SignatureDoesNotMatch')];
    if (signer === undefined) return [400, type, jsonError('InvalidSignatureException')];
    if (needsRole !== (signer === ROLE_KEYS.id)) return [400, type, jsonError('AccessDeniedException')];
    return kms(action, body.toString(), key);
  };
  return { ...(await startListener(answerTo, { tls })), seen, troubles };
}

const sha256 = (of: string | Buffer): string => createHash('sha256').update(of).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** The id of the access key that signed; undefined when the signature is another than it must be. */
function signerOf(request: IncomingMessage, body: Buffer, service: string): string | undefined {
  const { authorization = '' } = request.headers;
  const parts =
    /^AWS4-HMAC-SHA256 Credential=(\w+)\/(\d{8})\/([\w-]+)\/(\w+)\/aws4_request, ?SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})$/.exec(
      authorization,
    );
  const [, id = '', date = '', region = '', named, signed = '', signature] = parts ?? [];
  const time = String(request.headers['x-amz-date']);
  const isRecent =
    Math.abs(Date.now() - Date.parse(time.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'))) < 300_000;
  if (parts === null || named !== service || region !== 'eu-central-1' || !time.startsWith(date) || !isRecent)
    return undefined;
  const names = signed.split(';');
  const token = request.headers['x-amz-security-token'];
  if (!names.includes('host') || !names.includes('x-amz-date')) return undefined;
  if (token !== undefined && !names.includes('x-amz-security-token')) return undefined;
  if (id === ROLE_KEYS.id ? token !== ROLE_KEYS.token : token !== undefined) return undefined;
  const lines = names.map((name) => `${name}:${String(request.headers[name] ?? '').trim()}\n`).join('');
  const canonical = `${request.method}\n${request.url}\n\n${lines}\n${signed}\n${sha256(body)}`;
  const secret = id === AWS_ID ? AWS_SECRET : ROLE_KEYS.secret;
  const scope = [date, region, service, 'aws4_request'];
  const signingKey = scope.reduce((key: string | Buffer, part) => hmac(key, part), `AWS4${secret}`);
  const expected = hmac(signingKey, `AWS4-HMAC-SHA256\n${time}\n${scope.join('/')}\n${sha256(canonical)}`);
  return expected.toString('hex') === signature ? id : undefined;
}

function assumed(body: Buffer): ListenerAnswer {
  const form = new URLSearchParams(body.toString());
  if (form.get('RoleArn') !== AWS_ROLE || !/^[\w+=,.@-]{2,64}$/.test(form.get('RoleSessionName') ?? '')) {
    return [403, 'text/xml', xmlError('AccessDenied')];
  }
  const until = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+/, '');
  const xml = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleResult>
    <AssumedRoleUser><AssumedRoleId>AROA:x</AssumedRoleId><Arn>${AWS_ROLE}</Arn></AssumedRoleUser>
    <Credentials>
      <AccessKeyId>${ROLE_KEYS.id}</AccessKeyId>
      <SecretAccessKey>${ROLE_KEYS.secret}</SecretAccessKey>
      <SessionToken>${ROLE_KEYS.token}</SessionToken>
      <Expiration>${until}</Expiration>
    </Credentials>
  </AssumeRoleResult>
  <ResponseMetadata><RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ResponseMetadata>
</AssumeRoleResponse>`;
  return [200, 'text/xml', xml];
}

function xmlError(code: string): string {
  return `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>no</Message></Error><RequestId>x</RequestId></ErrorResponse>`;
}

function jsonError(type: string): string {
  return JSON.stringify({ __type: `com.amazonaws.kms#${type}`, message: `not this: ${AWS_SECRET}` });
}

interface KmsRequest {
  readonly KeyId?: string;
  readonly Plaintext?: string;
  readonly CiphertextBlob?: string;
  readonly EncryptionContext?: Readonly<Record<string, string>>;
}

/** The ciphertext is bound to key and context, as that of AWS is. */
function kms(action: string, body: string, key: Buffer): ListenerAnswer {
  const type = 'application/x-amz-json-1.1';
  const request = JSON.parse(body) as KmsRequest;
  const context = Object.entries(request.EncryptionContext ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const bound = Buffer.from(JSON.stringify([request.KeyId, context]));
  if (request.KeyId !== AWS_ARN) return [400, type, jsonError('NotFoundException')];
  if (action === 'Encrypt') {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(bound);
    const sealed = Buffer.concat([
      nonce,
      cipher.update(request.Plaintext ?? '', 'base64'),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
    return [
      200,
      type,
      JSON.stringify({
        CiphertextBlob: sealed.toString('base64'),
        KeyId: AWS_ARN,
        EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      }),
    ];
  }
  const sealed = Buffer.from(request.CiphertextBlob ?? '', 'base64');
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12))
      .setAAD(bound)
      .setAuthTag(sealed.subarray(-16));
    const plain = Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
    return [
      200,
      type,
      JSON.stringify({ KeyId: AWS_ARN, Plaintext: plain.toString('base64'), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' }),
    ];
  } catch {
    return [400, type, jsonError('InvalidCiphertextException')];
  }
}
