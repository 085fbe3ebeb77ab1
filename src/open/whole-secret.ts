import { type Ciphertext, type ClosedObject, SecretRef } from '../core/closed.ts';
import { SottoError } from '../core/errors.ts';
import type { Sensitive } from '../core/sensitive.ts';
import { objectMembers, stringAtSpan, valueSpan } from '../kube/json-bytes.ts';
import { parseSecret, type SecretContent } from '../kube/secret-reader.ts';
import type { SealedWhole } from '../sealed/sealed-secret.ts';
import type { UnsealKey } from '../sealed/sealing-key.ts';
import { unsealItem } from '../sealed/unseal.ts';

/** The ciphertext of one entry of a Secret that was sealed as a whole. */
export class WholeEntry implements Ciphertext {
  readonly text: string;
  readonly whole: SealedWhole;
  readonly entry: string;

  constructor(whole: SealedWhole, entry: string) {
    this.whole = whole;
    this.entry = entry;
    this.text = `${whole.item.text}#${entry}`;
  }
}

/**
 * The Secret that `spec.data` holds, taken apart as bytes: its values become no string. The caller wipes its entries.
 * Throws SottoError.
 */
export async function openWholeSecret(whole: SealedWhole, keys: readonly UnsealKey[]): Promise<SecretContent> {
  const { value } = await unsealItem(whole.sealed, whole.item, keys);
  try {
    const bytes = Buffer.from(value.reveal().buffer);
    refuseStringData(bytes);
    return parseSecret(bytes);
  } catch (thrown) {
    // The parser's own words could repeat what it read.
    if (thrown instanceof SyntaxError) throw noSecret('what was sealed is not a Secret in JSON').at(placeOf(whole));
    throw thrown instanceof SottoError ? thrown.at(placeOf(whole)) : thrown;
  } finally {
    value.wipe();
  }
}

/** The Secret with its values closed. Name and namespace are the SealedSecret's own, and nobody owns it. */
export function wholeTree({ sealed }: SealedWhole, content: SecretContent): ClosedObject {
  const { labels, annotations, type } = content;
  const kept = Object.entries(annotations).filter(([name]) => !name.endsWith('/last-applied-configuration'));
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: sealed.name,
      namespace: sealed.namespace,
      ...(Object.keys(labels).length === 0 ? {} : { labels: { ...labels } }),
      ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }),
    },
    ...(type === '' ? {} : { type }),
  };
}

export function wholeRef(whole: SealedWhole, entry: string): SecretRef {
  return new SecretRef(whole.sealed, new WholeEntry(whole, entry), 'value', whole.item.line);
}

/** The bytes of one entry. The caller wipes them. */
export async function openWholeEntry({ whole, entry }: WholeEntry, keys: readonly UnsealKey[]): Promise<Sensitive> {
  const { entries } = await openWholeSecret(whole, keys);
  const found = entries.get(entry);
  for (const [name, value] of entries) if (name !== entry) value.wipe();
  if (found === undefined) throw noSecret('an entry of it is not there any more').at(placeOf(whole));
  return found;
}

/** The reader of live Secrets knows none, because a server never answers it. */
function refuseStringData(bytes: Buffer): void {
  for (const { key, value } of objectMembers(bytes, valueSpan(bytes, 0).start)) {
    if (stringAtSpan(bytes, key) !== 'stringData') continue;
    if (![...objectMembers(bytes, value.start)].length) continue;
    throw noSecret('what was sealed has stringData');
  }
}

function placeOf({ sealed, item }: SealedWhole) {
  return { file: sealed.file, line: item.line, key: item.key, object: `bitnami.com/SealedSecret/${sealed.name}` };
}

function noSecret(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-010',
    what: 'the Secret in spec.data cannot be used',
    why,
    next: 'seal the Secret again: kubectl get secret NAME -o yaml | sotto seal --cert CERTIFICATE -',
  });
}
