import { dump } from 'js-yaml';
import { base64Length, writeBase64 } from '../apply/body.ts';
import { SottoError } from '../core/errors.ts';
import type { Sensitive } from '../core/sensitive.ts';
import { ownedBytes } from '../core/sensitive.ts';
import { openWholeSecret, wholeTree } from '../open/whole-secret.ts';
import { fillParts } from '../sealed/fill-parts.ts';
import { sealedToSecret } from '../sealed/resulting-secret.ts';
import type { SealedObject, SealedWhole } from '../sealed/sealed-secret.ts';
import { parseSealedWhole } from '../sealed/sealed-secret.ts';
import type { UnsealKey } from '../sealed/sealing-key.ts';
import { parseForOpening, unsealAll } from '../sealed/unseal.ts';
import { readManifests } from '../yaml/manifest.ts';

/**
 * The Secrets of a text of SealedSecrets, each as the bytes of a manifest, which the caller wipes. Everything is opened
 * before anything is given: a failure leaves no half output. Throws SottoError.
 */
export async function unsealedSecrets(
  text: string,
  name: string,
  namespace: string,
  keys: readonly UnsealKey[],
  form: 'yaml' | 'json',
): Promise<readonly Uint8Array[]> {
  const manifests = readManifests(text, name);
  if (manifests.length === 0) throw nothingToUnseal(name);
  const secrets: Uint8Array[] = [];
  try {
    for (const manifest of manifests) {
      const lineAt = (path: readonly string[]): number | undefined => manifest.lineAt(path);
      const place = { file: name, line: manifest.line, namespace, lineAt };
      const whole = parseSealedWhole(manifest.value, place);
      secrets.push(
        whole === undefined
          ? await openedSecret(await parseForOpening(manifest.value, place, keys), keys, form)
          : await openedWhole(whole, keys, form),
      );
    }
    return secrets;
  } catch (thrown) {
    for (const bytes of secrets) bytes.fill(0);
    throw thrown;
  }
}

async function openedSecret(
  sealed: SealedObject,
  keys: readonly UnsealKey[],
  form: 'yaml' | 'json',
): Promise<Uint8Array> {
  const { tree, items, literals, composed } = sealedToSecret(sealed);
  const opened = await unsealAll(sealed, keys);
  const valueOf = ({ key }: { readonly key: string }): Sensitive => {
    const value = opened.get(key)?.value;
    if (value === undefined) throw new TypeError('an item was not opened');
    return value;
  };
  const texts = [...composed].map(([name, parts]) => ({ name, value: fillParts(parts, valueOf) }));
  try {
    const entries: Entry[] = [...items.keys()].flatMap((name) => {
      const value = opened.get(name)?.value;
      return value === undefined ? [] : [{ name, value }];
    });
    for (const [name, base64] of literals) entries.push({ name, base64 });
    entries.push(...texts);
    return secretText(tree, entries, form);
  } finally {
    for (const { value } of [...opened.values(), ...texts]) value.wipe();
  }
}

/** The deprecated `spec.data`. */
async function openedWhole(whole: SealedWhole, keys: readonly UnsealKey[], form: 'yaml' | 'json'): Promise<Uint8Array> {
  const content = await openWholeSecret(whole, keys);
  try {
    const entries = [...content.entries].map(([name, value]) => ({ name, value }));
    return secretText(wholeTree(whole, content), entries, form);
  } finally {
    for (const value of content.entries.values()) value.wipe();
  }
}

type Entry = { readonly name: string } & ({ readonly value: Sensitive } | { readonly base64: string });

/** The manifest as bytes: values go from their buffers into this one as base64 and never become a string. */
function secretText(tree: object, entries: readonly Entry[], form: 'yaml' | 'json'): Uint8Array {
  const isYaml = form === 'yaml';
  const head = isYaml ? `---\n${dump(tree, { lineWidth: -1 })}` : `${JSON.stringify(tree).slice(0, -1)},"data":{`;
  const pieces: (string | Sensitive)[] = [head];
  if (isYaml) pieces.push(entries.length === 0 ? 'data: {}\n' : 'data:\n');
  for (const [index, entry] of entries.entries()) {
    pieces.push(`${isYaml ? '  ' : index === 0 ? '' : ','}${JSON.stringify(entry.name)}:${isYaml ? ' ' : ''}"`);
    pieces.push('value' in entry ? entry.value : entry.base64);
    pieces.push(isYaml ? '"\n' : '"');
  }
  if (!isYaml) pieces.push('}}\n');
  return joined(pieces);
}

function joined(pieces: readonly (string | Sensitive)[]): Uint8Array {
  const lengths = pieces.map((piece) =>
    typeof piece === 'string' ? Buffer.byteLength(piece) : base64Length(piece.length),
  );
  const bytes = ownedBytes(lengths.reduce((sum, length) => sum + length, 0));
  const encoder = new TextEncoder();
  let at = 0;
  for (const piece of pieces) {
    if (typeof piece === 'string') at += encoder.encodeInto(piece, bytes.subarray(at)).written;
    else at = writeBase64(piece.reveal(), bytes, at);
  }
  return bytes;
}

export function noSealingKey(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-008',
    what: 'no sealing key is at hand',
    why: 'the key files hold age identities only, and a SealedSecret is opened with its RSA key',
    next: '--key-file with the backup of the sealing-key Secret, or its tls.key',
  });
}

function nothingToUnseal(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-005',
    what: 'there is nothing to unseal',
    file: name,
    why: 'the file holds no document',
    next: 'give a SealedSecret in YAML or JSON',
  });
}
