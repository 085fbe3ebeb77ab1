import { base64Length, writeBase64 } from '../apply/body.ts';
import { SottoError } from '../core/errors.ts';
import { isJsonObject, type Json, member, stringAt, stringifyJson } from '../core/json.ts';
import { RECOVERY_NAME } from '../core/labels.ts';
import { ownedBytes, Sensitive } from '../core/sensitive.ts';
import type { SecretMark } from '../keys/key-secret.ts';
import { keyLife } from '../keys/key-state.ts';
import { ORIGIN_ANNOTATION, ORIGIN_SOTTO, STOCK_SEALING_ACTIVE, STOCK_SEALING_LABEL, TLS_TYPE } from '../keys/marks.ts';
import { kubeError } from '../kube/errors.ts';
import { listMetadata } from '../kube/lists.ts';
import { createObject, mergePatch } from '../kube/objects.ts';
import { CONFIG_MAPS, SECRETS } from '../kube/resource.ts';
import type { Repeat } from '../kube/retry.ts';
import type { Transport } from '../kube/transport.ts';
import { makeSealingCertificate } from '../sealed/make-certificate.ts';
import { fingerprintOf, readCertificate } from '../sealed/sealing-key.ts';
import { encryptForRecipients } from '../sops/recipients.ts';

export interface SealingKeyPlace {
  readonly transport: Transport;
  readonly namespace: string;
  readonly repeat: Repeat;
}

/** A key Secret that was made, or was there already although nobody had told of it yet. */
export type SealingKeySecret = SecretMark & { readonly resourceVersion: string };

/**
 * Makes the agent's own sealing key, for `sealing.enabled`: a Secret as the stock controller makes it, marked as ours.
 * With recipients the key is encrypted to them before it exists anywhere else. A key of ours that is there counts,
 * whatever the stream has told so far: two keys would be one too many. Throws SottoError.
 */
export async function makeSealingKey(
  place: SealingKeyPlace,
  recovery: readonly string[],
  now: Date,
): Promise<SealingKeySecret> {
  const present = await ownSealingKey(place);
  if (present !== undefined) return present;
  const made = await makeSealingCertificate({ now });
  using keyPem = made.keyPem;
  const certificate = readCertificate(made.certificatePem);
  if (certificate === undefined) throw new TypeError('the certificate that was made cannot be read');
  const name = `sotto-sealing-${fingerprintOf(certificate).slice(0, 10)}`;
  const fill = (): Sensitive => secretBody(name, place.namespace, made.certificatePem, keyPem);
  if (recovery.length > 0) await storeRecovery(place, name, fill, recovery);
  return createKeySecret(place, name, fill);
}

async function ownSealingKey({ transport, namespace, repeat }: SealingKeyPlace): Promise<SealingKeySecret | undefined> {
  const labelSelector = `${STOCK_SEALING_LABEL}=${STOCK_SEALING_ACTIVE}`;
  const listed = await repeat(() => listMetadata(transport, SECRETS, { namespace, labelSelector }));
  if (!listed.ok) throw kubeError(listed.failure, { verb: 'list', resource: SECRETS, namespace });
  return listed.value.items
    .map(secretMarkOf)
    .find((mark) => mark.annotations[ORIGIN_ANNOTATION] === ORIGIN_SOTTO && keyLife(mark).state === 'active');
}

/** Each attempt fills anew: a body that was sent is gone. */
async function createKeySecret(
  { transport, namespace, repeat }: SealingKeyPlace,
  name: string,
  fill: () => Sensitive,
): Promise<SealingKeySecret> {
  const target = { resource: SECRETS, namespace, name };
  const answer = await repeat(() => createObject(transport, { ...target, body: fill().reveal() }));
  if (answer.ok) return secretMarkOf(answer.value.object);
  // Ours, whose answer was lost: the name is made of the key.
  const stored =
    answer.failure.kind === 'already-exists' ? await ownSealingKey({ transport, namespace, repeat }) : undefined;
  if (stored !== undefined) return stored;
  throw kubeError(answer.failure, { verb: 'create', ...target });
}

function secretBody(name: string, namespace: string, certificatePem: string, keyPem: Sensitive): Sensitive {
  const metadata = {
    name,
    namespace,
    labels: { [STOCK_SEALING_LABEL]: STOCK_SEALING_ACTIVE, 'app.kubernetes.io/managed-by': 'sotto' },
    annotations: { [ORIGIN_ANNOTATION]: ORIGIN_SOTTO },
  };
  const crt = Buffer.from(certificatePem).toString('base64');
  const head = Buffer.from(
    `{"apiVersion":"v1","kind":"Secret","metadata":${stringifyJson(metadata)},"type":"${TLS_TYPE}","data":{"tls.crt":"${crt}","tls.key":"`,
  );
  const tail = Buffer.from('"}}');
  const body = ownedBytes(head.length + base64Length(keyPem.length) + tail.length);
  body.set(head);
  body.set(tail, writeBase64(keyPem.reveal(), body, head.length));
  return Sensitive.adopt(body);
}

/**
 * ConfigMap `sotto-recovery`: the key Secret's manifest as an armoured age file, for whoever holds the recovery
 * identity. No Secret, so that a backup of it takes no right to read Secrets.
 */
export async function storeRecovery(
  { transport, namespace, repeat }: SealingKeyPlace,
  name: string,
  fill: () => Sensitive,
  recovery: readonly string[],
): Promise<void> {
  using manifest = fill();
  const data = { [`${name}.age`]: await encryptForRecipients(manifest.reveal(), recovery) };
  const target = { resource: CONFIG_MAPS, namespace, name: RECOVERY_NAME };
  const patched = await repeat(() => mergePatch(transport, { ...target, patch: { data } }));
  if (patched.ok) return;
  const failed = (failure: typeof patched.failure, verb: 'patch' | 'create'): SottoError =>
    noRecovery(kubeError(failure, { verb, ...target }));
  if (patched.failure.kind !== 'not-found') throw failed(patched.failure, 'patch');
  const metadata = { name: RECOVERY_NAME, namespace, labels: { 'app.kubernetes.io/managed-by': 'sotto' } };
  const body = Buffer.from(stringifyJson({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }), 'utf8');
  const created = await repeat(() => createObject(transport, { ...target, body }));
  if (!created.ok && created.failure.kind !== 'already-exists') throw failed(created.failure, 'create');
}

function noRecovery({ what, why, next }: SottoError): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-025',
    what: 'no key was made, because its recovery copy cannot be stored',
    why: `${what}: ${why}`,
    next,
    object: `ConfigMap/${RECOVERY_NAME}`,
  });
}

/** What the answer to a write says of a Secret. */
export function secretMarkOf(object: Json): SealingKeySecret {
  return {
    name: stringAt(object, 'metadata', 'name') ?? '',
    labels: texts(member(member(object, 'metadata'), 'labels')),
    annotations: texts(member(member(object, 'metadata'), 'annotations')),
    resourceVersion: stringAt(object, 'metadata', 'resourceVersion') ?? '',
  };
}

function texts(value: Json | undefined): Record<string, string> {
  if (!isJsonObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, text]) => (typeof text === 'string' ? [[key, text] as const] : [])),
  );
}
