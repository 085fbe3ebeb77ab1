import {
  constants,
  createCipheriv,
  createDecipheriv,
  publicEncrypt,
  randomFillSync,
  timingSafeEqual,
} from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { ownedBytes, Sensitive } from '../core/sensitive.ts';
import { encodeBlob, NONCE, SESSION_KEY_BYTES, TAG_BYTES } from './blob.ts';
import type { SealingCertificate } from './certificate.ts';
import { isEntryName, isNamespaceName, isSecretName } from './names.ts';
import type { PlainSecret } from './plain-secret.ts';
import { type Annotations, type Binding, type Scope, scopeAnnotation, scopeOf, sealLabel, withScope } from './scope.ts';

/** What the command line says about the result. */
export interface SealTarget {
  /** Default: what the Secret's own annotations say. `strict` removes them (kubeseal keeps them). */
  readonly scope?: Scope | undefined;
  /** Fills in for a Secret that names none; one that names another is refused. */
  readonly namespace?: string | undefined;
}

/** One value, sealed for a label: the base64 text of an `encryptedData` entry. Different at every call. */
export function sealValue(value: Sensitive, certificate: SealingCertificate, label: Uint8Array): string {
  using sessionKey = Sensitive.adopt(randomFillSync(ownedBytes(SESSION_KEY_BYTES)));
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const wrappedKey = publicEncrypt(
    { key: certificate.publicKey, padding, oaepHash: 'sha256', oaepLabel: label },
    sessionKey.reveal(),
  );
  const cipher = createCipheriv('aes-256-gcm', sessionKey.reveal(), NONCE, { authTagLength: TAG_BYTES });
  const ciphertext = Buffer.concat([cipher.update(value.reveal()), cipher.final()]);
  const tag = cipher.getAuthTag();
  if (!isOpened(ciphertext, tag, sessionKey, value)) throw new TypeError('what was sealed is not the value');
  return encodeBlob(wrappedKey, ciphertext, tag);
}

/** Whoever seals cannot open it afterwards; so it is opened once, while its session key is still there. */
function isOpened(ciphertext: Uint8Array, tag: Uint8Array, sessionKey: Sensitive, value: Sensitive): boolean {
  const decipher = createDecipheriv('aes-256-gcm', sessionKey.reveal(), NONCE, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(tag);
  const opened = decipher.update(ciphertext);
  decipher.final();
  try {
    return opened.length === value.length && timingSafeEqual(opened, value.reveal());
  } finally {
    opened.fill(0);
  }
}

/**
 * The SealedSecret manifest that kubeseal would write for a Secret: scope annotation outside, the Secret's metadata
 * in the template, no labels outside (spec section 4). Throws SOTTO-SEAL-007, -008, -016, -018, -019.
 */
export function sealSecret(secret: PlainSecret, certificate: SealingCertificate, target: SealTarget = {}): JsonObject {
  checkEntries(secret);
  const binding = bindingOf(secret, target);
  const label = sealLabel(binding);
  const place = { name: binding.name, ...(binding.namespace === '' ? {} : { namespace: binding.namespace }) };
  const entries = [...secret.data].map(([key, value]): [string, string] => [key, sealValue(value, certificate, label)]);
  const outer = scopeAnnotation(binding.scope);
  return {
    apiVersion: 'bitnami.com/v1alpha1',
    kind: 'SealedSecret',
    metadata: { ...place, ...(Object.keys(outer).length === 0 ? {} : { annotations: outer }) },
    spec: {
      encryptedData: Object.fromEntries(entries),
      template: {
        ...(secret.type === undefined ? {} : { type: secret.type }),
        ...(secret.immutable === undefined ? {} : { immutable: secret.immutable }),
        metadata: { ...templateMetadata(secret, binding.scope), ...place },
      },
    },
  };
}

/**
 * What a sealed object may be bound to, for a whole Secret and for `seal --raw` alike.
 * An empty name or namespace is fine where the scope does not bind it. Throws SOTTO-SEAL-018.
 */
export function checkBinding(binding: Binding): Binding {
  const { scope, namespace, name } = binding;
  if (scope === 'strict' && !isSecretName(name)) {
    throw unbound('no usable name', 'strict scope binds the ciphertext to it', 'set metadata.name, or give --name');
  }
  if (scope !== 'cluster-wide' && !isNamespaceName(namespace)) {
    throw unbound(
      'no usable namespace',
      `${scope} scope binds the ciphertext to it`,
      'set metadata.namespace, or give -n',
    );
  }
  return binding;
}

function bindingOf(secret: PlainSecret, target: SealTarget): Binding {
  const scope = target.scope ?? scopeOf(secret.metadata.annotations);
  const own = secret.metadata.namespace;
  if (own !== undefined && target.namespace !== undefined && own !== target.namespace && scope !== 'cluster-wide') {
    throw new SottoError({
      code: 'SOTTO-SEAL-019',
      what: 'the Secret is in another namespace than the one given',
      why: `metadata.namespace is ${own}, the command says ${target.namespace}`,
      next: `leave -n away, or set metadata.namespace to ${target.namespace}`,
    });
  }
  const name = secret.metadata.name;
  if (!isSecretName(name)) throw unbound('no usable name', 'the result needs one', 'set metadata.name');
  // A cluster-wide Secret without a namespace stays without one.
  const namespace = own ?? (scope === 'cluster-wide' ? '' : (target.namespace ?? ''));
  return checkBinding({ scope, namespace, name });
}

function unbound(what: string, why: string, next: string): SottoError {
  return new SottoError({ code: 'SOTTO-SEAL-018', what: `the Secret to seal has ${what}`, why, next });
}

function checkEntries(secret: PlainSecret): void {
  if (secret.data.size === 0) {
    throw new SottoError({
      code: 'SOTTO-SEAL-016',
      what: 'the Secret to seal has no entries',
      why: 'neither data nor stringData holds anything',
      next: 'add an entry; to seal a single value use sotto seal --raw',
    });
  }
  for (const key of secret.data.keys()) {
    if (isEntryName(key)) continue;
    throw new SottoError({
      code: 'SOTTO-SEAL-007',
      what: 'an entry has a name that no entry of a Secret can have',
      why: 'names are letters, digits, dots, dashes and underscores, at most 253',
      next: 'rename the entry',
      key: key.slice(0, 253),
    });
  }
  const totalBytes = [...secret.data.values()].reduce((sum, value) => sum + value.length, 0);
  if (totalBytes <= LIMITS.maxSecretDataBytes) return;
  throw new SottoError({
    code: 'SOTTO-SEAL-008',
    what: `the Secret holds ${totalBytes} bytes of values`,
    why: `Kubernetes takes at most ${LIMITS.maxSecretDataBytes}`,
    next: 'split it into several Secrets',
  });
}

/** They hold the whole Secret in clear (bitnami/sealed-secrets#227). */
const LAST_APPLIED = [
  'kubectl.kubernetes.io/last-applied-configuration',
  'kubecfg.ksonnet.io/last-applied-configuration',
] as const;

/** Only what a Secret is given by people: what a server adds (uid, managedFields, owners …) stays behind. */
function templateMetadata(secret: PlainSecret, scope: Scope): JsonObject {
  const { labels, finalizers } = secret.metadata;
  const kept = Object.entries(secret.metadata.annotations).filter(([name]) => !LAST_APPLIED.some((it) => it === name));
  const annotations: Annotations = withScope(Object.fromEntries(kept), scope);
  return {
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    ...(finalizers.length === 0 ? {} : { finalizers }),
  };
}
