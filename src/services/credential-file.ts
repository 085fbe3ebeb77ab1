import { Sensitive } from '../core/sensitive.ts';
import type { AwsKeys } from './credential.ts';
import { type Fields, fieldsOf } from './fields.ts';

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

/** A header must not end in the middle of it. */
function isPrintable(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.every((byte) => byte > 0x20 && byte < 0x7f);
}
