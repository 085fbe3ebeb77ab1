import { createPrivateKey, type KeyObject } from 'node:crypto';
import { ownedBytes, Sensitive } from '../core/sensitive.ts';
import type { AwsKeys, AzureClient, GcpAccount } from './credential.ts';
import { type Fields, fieldsOf, fieldsOfJson, trimmed } from './fields.ts';

/** `aws_access_key_id`, `aws_secret_access_key` and `aws_session_token`, as Flux has them. A text says what is wrong. */
export function awsKeysIn(bytes: Uint8Array): AwsKeys | string {
  const fields = fieldsOf(bytes);
  return fields === undefined ? 'it is not lines such as aws_access_key_id: ID' : awsKeysOf(fields);
}

export function awsKeysOf(fields: Fields): AwsKeys | string {
  const [id, secret, token] = ['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token'].map((name) =>
    fields.get(name),
  );
  if (id === undefined || secret === undefined) return 'aws_access_key_id or aws_secret_access_key is missing';
  const accessKeyId = Buffer.from(id).toString('latin1');
  if (!/^\w{4,128}$/.test(accessKeyId)) return 'aws_access_key_id is not the id of an access key';
  if (!isPrintable(secret)) return 'aws_secret_access_key is not one word of printable characters';
  if (token !== undefined && token.length > 0 && !isPrintable(token)) {
    return 'aws_session_token is not one word of printable characters';
  }
  return {
    kind: 'kms',
    accessKeyId,
    secretAccessKey: Sensitive.copyOf(secret),
    sessionToken: token === undefined || token.length === 0 ? undefined : Sensitive.copyOf(token),
  };
}

/** The JSON file of a service account, as Google gives it. A text says what is wrong. */
export function gcpAccountIn(bytes: Uint8Array): GcpAccount | string {
  const fields = fieldsOfJson(trimmed(bytes));
  const type = textOf(fields?.get('type'));
  if (fields === undefined || type === undefined) return 'it is not the JSON file of a service account';
  if (type !== 'service_account') return 'it is of another type than service_account, which is not in this version';
  const [email, keyId] = [textOf(fields.get('client_email')), textOf(fields.get('private_key_id'))];
  const pem = fields.get('private_key');
  if (email === undefined || keyId === undefined || pem === undefined) {
    return 'client_email, private_key_id or private_key is missing';
  }
  const privateKey = privateKeyIn(pem);
  if (privateKey?.asymmetricKeyType !== 'rsa') return 'its private_key is not an RSA key in PEM';
  return { kind: 'gcp_kms', by: 'account', email, keyId, privateKey };
}

/** From PEM as JSON writes it, with its line breaks as backslashes. */
function privateKeyIn(escaped: Uint8Array): KeyObject | undefined {
  const pem = ownedBytes(escaped.length);
  let length = 0;
  for (let at = 0; at < escaped.length; at += 1, length += 1) {
    const isEscape = escaped[at] === 0x5c;
    if (isEscape) at += 1;
    const byte = escaped[at] ?? 0;
    pem[length] = isEscape && byte === 0x6e ? 0x0a : byte;
  }
  try {
    return createPrivateKey({ key: Buffer.from(pem.buffer, 0, length), format: 'pem' });
  } catch {
    return undefined;
  } finally {
    pem.fill(0);
  }
}

/** `tenantId`, `clientId` and `clientSecret`, as Flux has them, or what `az ad sp create-for-rbac` prints. */
export function azureClientIn(bytes: Uint8Array): AzureClient | string {
  const fields = fieldsOf(bytes);
  return fields === undefined ? 'it is not lines such as tenantId: ID' : azureClientOf(fields);
}

export function azureClientOf(fields: Fields): AzureClient | string {
  const either = (name: string, other: string) => fields.get(name) ?? fields.get(other);
  const tenantId = textOf(either('tenantId', 'tenant'));
  const clientId = textOf(either('clientId', 'appId'));
  const secret = either('clientSecret', 'password');
  const authorityHost = textOf(fields.get('authorityHost'));
  if (secret === undefined)
    return 'clientSecret is missing; certificates and managed identities are not in this version';
  if (!isPrintable(secret)) return 'clientSecret is not one word of printable characters';
  if (tenantId === undefined || clientId === undefined || !/^[\w.-]+$/.test(tenantId) || !/^[\w.-]+$/.test(clientId)) {
    return 'tenantId or clientId is missing, or no id';
  }
  if (fields.has('authorityHost') && authorityHost === undefined) return 'authorityHost is no address';
  return { kind: 'azure_kv', by: 'client', tenantId, clientId, clientSecret: Sensitive.copyOf(secret), authorityHost };
}

/** Names and ids are no secret. */
function textOf(bytes: Uint8Array | undefined): string | undefined {
  const text = bytes === undefined ? '' : Buffer.from(bytes).toString('latin1');
  return /^[\w@.+:/-]{1,500}$/.test(text) ? text : undefined;
}

/** A header must not end in the middle of it. */
export function isPrintable(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.every((byte) => byte > 0x20 && byte < 0x7f);
}
