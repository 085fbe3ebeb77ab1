import { SottoError } from '../core/errors.ts';
import type { Answer } from '../kube/exchange.ts';
import type { AwsKey } from '../sops/service-key.ts';
import { assumeRole } from './aws-sts.ts';
import { type AwsPlace, awsPlaceOf } from './aws-place.ts';
import type { ServiceCall } from './call.ts';
import type { AwsKeys, ServiceCredential } from './credential.ts';
import type { Reason } from './failure.ts';
import { base64At, jsonWithBase64, textAt } from './json.ts';
import type { Circumstances, Protocol, ServiceRequest } from './protocol.ts';
import type { Permission } from './rules.ts';
import { signedHeaders } from './sigv4.ts';

/** The Key Management Service of AWS: Encrypt and Decrypt, signed, as a role where the file names one. */
export function awsKmsProtocol(key: AwsKey, { endpoint, sessionEndpoint }: Permission): Protocol {
  const place = awsPlaceOf(key);
  const { region, domain } = typeof place === 'string' ? NOWHERE : place;
  const origin = endpoint ?? `https://kms.${region}.${domain}`;
  const sts = { origin: sessionEndpoint ?? `https://sts.${region}.${domain}`, region };
  return {
    problem: typeof place === 'string' ? place : undefined,
    origin,
    credential: 'kms',
    isWrapped: (enc) => BASE64.test(enc),
    prepare: async (request, credential, circumstances) => {
      const keys = await keysFor(key, credential, sts, circumstances);
      return keys instanceof SottoError
        ? keys
        : kmsCall(key, request, { origin, region }, { ...keys, ca: credential.ca }, circumstances.now);
    },
    reasonIn,
    dataKeyIn: (answer) => base64At(answer, 'Plaintext'),
    encIn: (answer) => textAt(answer, 'CiphertextBlob'),
  };
}

const NOWHERE: AwsPlace = { region: '', domain: '' };
const BASE64 = /^[A-Za-z0-9+/]{4,8000}={0,2}$/;

/** Those of the role, where one is taken on. */
async function keysFor(
  key: AwsKey,
  credential: ServiceCredential,
  sts: { readonly origin: string; readonly region: string },
  circumstances: Circumstances,
): Promise<AwsKeys | SottoError> {
  if (credential.kind !== 'kms') throw new TypeError('asked with the credential of another kind of service');
  if (key.role === '') return credential;
  const begin = () => assumeRole(key, credential, sts, circumstances);
  const session = await circumstances.session(`${sts.origin} ${key.role}`, begin);
  if (session instanceof SottoError) return session;
  if (session.secret.kind !== 'kms') throw new TypeError('a session of another kind of service');
  return session.secret;
}

function kmsCall(
  { arn, context }: AwsKey,
  request: ServiceRequest,
  { origin, region }: { readonly origin: string; readonly region: string },
  { ca, ...keys }: AwsKeys & { readonly ca: Uint8Array | undefined },
  now: Date,
): ServiceCall {
  const rest = { KeyId: arn, ...(Object.keys(context).length === 0 ? {} : { EncryptionContext: context }) };
  const body =
    request.verb === 'decrypt'
      ? Buffer.from(JSON.stringify({ CiphertextBlob: request.enc, ...rest }), 'utf8')
      : jsonWithBase64('Plaintext', request.dataKey, `,${JSON.stringify(rest).slice(1, -1)}`);
  const headers = {
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': request.verb === 'decrypt' ? 'TrentService.Decrypt' : 'TrentService.Encrypt',
  };
  const call = { host: new URL(origin).host, region, service: 'kms', headers, body };
  return { origin, path: '/', headers: signedHeaders(call, keys, now), body, ca };
}

/** AWS answers 400 to almost everything, and says what it means in the body. */
function reasonIn({ status, bytes }: Answer): Reason | undefined {
  if (status !== 400) return undefined;
  const type = textAt(bytes, '__type')?.replace(/^.*#/, '') ?? '';
  return REASONS.get(type);
}

const reason = (why: string): Reason => ({ passes: false, why });
const passing = (why: string): Reason => ({ passes: true, why });

/** In our words; what is not here is told by its status. */
const REASONS: ReadonlyMap<string, Reason> = new Map([
  ['ThrottlingException', passing('it answers fewer requests than come (throttling)')],
  ['LimitExceededException', passing('it answers fewer requests than come (limit)')],
  ['RequestLimitExceeded', passing('it answers fewer requests than come (limit)')],
  ['AccessDeniedException', reason('it does not let this credential use the key (AccessDenied)')],
  ['UnrecognizedClientException', reason('it does not know this access key')],
  ['InvalidClientTokenId', reason('it does not know this access key')],
  ['ExpiredTokenException', reason('the credential has expired')],
  ['InvalidSignatureException', reason('the secret access key does not fit its id, or the clock here is wrong')],
  ['NotFoundException', reason('there is no such key')],
  ['DisabledException', reason('the key is disabled')],
  ['KMSInvalidStateException', reason('the key is disabled, or about to be deleted')],
  ['InvalidCiphertextException', reason('this key did not wrap the data key, or not with this encryption context')],
  ['IncorrectKeyException', reason('another key wrapped the data key')],
  ['InvalidKeyUsageException', reason('the key is not one that encrypts and decrypts')],
]);
