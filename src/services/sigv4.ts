import { createHash, createHmac } from 'node:crypto';
import type { AwsKeys } from './credential.ts';

/** A POST to AWS that is not signed yet. */
export interface UnsignedCall {
  /** With its port, where that is not the usual one. */
  readonly host: string;
  readonly region: string;
  /** `kms`, `sts` */
  readonly service: string;
  /** In lower case; host and date are added. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';

/** The headers that sign a POST to `/` without a query, by Signature Version 4: all of them are signed. */
export function signedHeaders(call: UnsignedCall, keys: AwsKeys, now: Date): Record<string, string> {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, '');
  const date = time.slice(0, 8);
  const scope = `${date}/${call.region}/${call.service}/aws4_request`;
  const token = keys.sessionToken;
  const headers: Record<string, string> = {
    ...call.headers,
    host: call.host,
    'x-amz-date': time,
    // A header is a text; it is gone with the request.
    ...(token === undefined ? {} : { 'x-amz-security-token': Buffer.from(token.reveal()).toString('latin1') }),
  };
  const names = Object.keys(headers).toSorted();
  const lines = names.map((name) => `${name}:${(headers[name] ?? '').trim().replace(/ +/g, ' ')}\n`).join('');
  const canonical = ['POST', '/', '', lines, names.join(';'), digest(call.body)].join('\n');
  const toSign = [ALGORITHM, time, scope, digest(canonical)].join('\n');
  const signature = createHmac('sha256', signingKey(keys, date, call))
    .update(toSign)
    .digest('hex');
  const authorization = `${ALGORITHM} Credential=${keys.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  return { ...headers, authorization };
}

function signingKey(keys: AwsKeys, date: string, { region, service }: UnsignedCall): Buffer {
  const secret = Buffer.concat([Buffer.from('AWS4'), keys.secretAccessKey.reveal()]);
  let key = createHmac('sha256', secret).update(date).digest();
  secret.fill(0);
  for (const part of [region, service, 'aws4_request']) key = createHmac('sha256', key).update(part).digest();
  return key;
}

function digest(of: string | Uint8Array): string {
  return createHash('sha256').update(of).digest('hex');
}
