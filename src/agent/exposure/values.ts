import { referencesIn } from '../../apply/compose.ts';
import { ComposedRef, SecretRef, secretRefs } from '../../core/closed.ts';
import { sourceDigest } from '../../core/digest.ts';
import { WholeEntry } from '../../open/whole-secret.ts';
import type { DesiredObject } from '../../render/desired.ts';
import { holderOf } from '../../sops/key-entry.ts';
import { formatKeyPath } from '../../sops/key-path.ts';
import { SopsLeaf } from '../../sops/leaf.ts';
import type { SopsMetadata } from '../../sops/metadata.ts';
import { SopsEnvLine, SopsWhole } from '../../sops/whole.ts';
import type { SyncRuntime } from '../sync-runtime.ts';
import { type PlacedValue, placeOf } from './exposure.ts';

/** A value that a sync has applied, with what opens it. */
export interface AppliedValue extends PlacedValue {
  readonly ref: SecretRef;
  readonly sync: SyncRuntime;
}

/** Every value that a sync has applied, each once, as it stands in the files of Git. Opens nothing. */
export function appliedValues(sync: SyncRuntime): AppliedValue[] {
  const found = new Map<string, AppliedValue>();
  const wholes = new Set<SopsWhole>();
  for (const object of sync.desired.values()) {
    for (const { ref } of secretRefs(object.tree)) {
      for (const each of ref instanceof ComposedRef ? referencesIn(ref.pieces) : [ref]) {
        for (const value of placed(each, object, sync, wholes)) found.set(`${placeOf(value)}\0${value.cipher}`, value);
      }
    }
  }
  return [...found.values()];
}

function placed(
  ref: SecretRef,
  { key: object }: DesiredObject,
  sync: SyncRuntime,
  seen: Set<SopsWhole>,
): AppliedValue[] {
  const { source, cipher } = ref;
  const at = (key: string, of: SecretRef): AppliedValue => ({
    file: source.file,
    key,
    object,
    cipher: sourceDigest('exposure', of.cipher.text).slice(0, CIPHER_DIGITS),
    ref: of,
    sync,
  });
  if (cipher instanceof SopsLeaf) return [at(formatKeyPath(cipher.place), ref)];
  if (cipher instanceof SopsWhole || cipher instanceof SopsEnvLine) {
    const whole = cipher instanceof SopsWhole ? cipher : cipher.whole;
    if (seen.has(whole)) return [];
    seen.add(whole);
    return leavesOf(whole, source).map((leaf) => at(formatKeyPath(leaf.path), leaf.ref));
  }
  return [at(cipher instanceof WholeEntry ? `spec.data.${cipher.entry}` : itemKey(cipher), ref)];
}

/** Enough to tell ciphertexts apart; a chance hit would leave one more value open. */
const CIPHER_DIGITS = 24;

/** The values in a file that is one secret as a whole to those who use it: each changes for itself. */
function leavesOf(whole: SopsWhole, source: SecretRef['source']) {
  return whole.macItems.flatMap((item) => {
    if (item.kind !== 'encrypted' || item.value.enc.type === 'comment') return [];
    const { value } = item;
    return [{ path: value.path, ref: new SecretRef(source, new SopsLeaf(value, value.path), 'value', value.line) }];
  });
}

function itemKey(cipher: SecretRef['cipher']): string {
  return 'key' in cipher && typeof cipher.key === 'string' ? cipher.key : '';
}

/** Whether a SOPS file names a key: whoever has that can open it, alone or with others of its groups. */
export function names({ metadata }: { readonly metadata: Pick<SopsMetadata, 'groups'> }, key: string): boolean {
  return metadata.groups.some((group) => group.some((entry) => holderOf(entry) === key));
}
