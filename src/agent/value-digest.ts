import { referencesIn } from '../apply/compose.ts';
import type { ValueOpener } from '../apply/fill.ts';
import { ComposedRef, type Piece, type SecretRef, secretRefs, withoutSecrets } from '../core/closed.ts';
import { canonicalJson, memberAt } from '../core/json.ts';
import { type FingerprintKey, keyedDigest, keyedValueDigest } from '../keys/fingerprint.ts';
import type { DesiredObject } from '../render/desired.ts';

/** What Pods are given of a Secret or ConfigMap; its labels and annotations are not. */
const CONTENT = ['data', 'binaryData', 'stringData'] as const;

/**
 * One keyed digest of all values in Secrets and ConfigMaps. It hangs on what the values are and not on their ciphertext:
 * encrypting them again does not change it. Throws SottoError where a value does not open.
 */
export async function valuesDigest(
  objects: readonly DesiredObject[],
  opener: ValueOpener,
  key: FingerprintKey,
): Promise<string> {
  const parts: (string | Uint8Array)[] = [];
  for (const object of objects) {
    const content = Object.fromEntries(CONTENT.map((field) => [field, object.tree[field] ?? null]));
    parts.push(object.key, canonicalJson(withoutSecrets(content, '')));
    const refs = secretRefs(content).map(({ path, ref }) => ({ path: JSON.stringify(path), ref }));
    for (const { path, ref } of refs.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
      parts.push(path, shapeOf(ref), ...(await digestsOf(ref, path, opener, key)));
    }
  }
  return keyedDigest(key, 'restart', ...parts).toString('hex');
}

/** How the value stands in the object: what is literal around it, and in which form. */
function shapeOf(ref: SecretRef): string {
  if (!(ref instanceof ComposedRef)) return ref.form;
  const refs = referencesIn(ref.pieces);
  const shape = JSON.stringify(ref.pieces, (_key, each: unknown) => {
    if (each instanceof Uint8Array) return Buffer.from(each).toString('base64');
    return isReferencePiece(each) ? { kind: 'value', at: refs.indexOf(each.ref) } : each;
  });
  return `${ref.form} ${shape}`;
}

function isReferencePiece(value: unknown): value is Extract<Piece, { readonly kind: 'value' }> {
  return memberAt(value, 'kind') === 'value' && memberAt(value, 'ref') !== undefined;
}

async function digestsOf(
  ref: SecretRef,
  path: string,
  opener: ValueOpener,
  key: FingerprintKey,
): Promise<Uint8Array[]> {
  const digests: Uint8Array[] = [];
  for (const each of ref instanceof ComposedRef ? referencesIn(ref.pieces) : [ref]) {
    const value = await opener.open(each);
    try {
      digests.push(keyedValueDigest(key, 'restart', [path], value));
    } finally {
      value.wipe();
    }
  }
  return digests;
}
