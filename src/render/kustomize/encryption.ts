import { SottoError } from '../../core/errors.ts';
import { looksEncrypted, parseSopsFile, SopsLeaf } from '../../sops/file.ts';

/** The form in which a file is encrypted; `binary` is what sops makes of a file it has no form for. */
export type Encryption = 'none' | 'yaml' | 'json' | 'dotenv' | 'ini' | 'binary';

/** Told from the text alone, as far as no key is needed for it. The name counts as it does for sops. */
export function encryptionOf(path: string, bytes: Uint8Array): Encryption {
  const text = textOrUndefined(bytes);
  if (text === undefined || !text.includes('sops')) return 'none';
  if (/^\uFEFF?\s*\{/.test(text) && isBinary(text, path)) return 'binary';
  if (/\.ya?ml$/.test(path)) return looksEncrypted(text) ? 'yaml' : 'none';
  if (path.endsWith('.json')) return looksEncrypted(text) ? 'json' : 'none';
  if (/^[ \t]*\[sops\][ \t]*(?:[#;].*)?\r?$/m.test(text)) return 'ini';
  if (/^sops_(?:mac|version|lastmodified)=/m.test(text)) return 'dotenv';
  return looksEncrypted(text) ? 'yaml' : 'none';
}

/**
 * Whether all of the file is in clear although sops was there: a rule that fits nothing in it. The MAC, which every file
 * has once, counts for none.
 */
export function isInClear(bytes: Uint8Array, encryption: Encryption): boolean {
  if (encryption === 'none') return true;
  const text = textOrUndefined(bytes) ?? '';
  const hasMac = /\bmac\b["']?\s*[:=]\s*["']?ENC\[AES256_GCM,/.test(text);
  return [...text.matchAll(/ENC\[AES256_GCM,/g)].length <= (hasMac ? 1 : 0);
}

/** sops puts the bytes of a file under the one key `data`, as JSON, whatever the file is called. */
function isBinary(text: string, path: string): boolean {
  // Of an empty file nothing is encrypted; only the name tells it from a document with an empty value.
  const isNamed = /\.(?:ya?ml|json|env|ini)$/.test(path);
  if (!(isNamed ? /"data"\s*:\s*"ENC\[/ : /"data"\s*:\s*"(?:ENC\[|")/).test(text)) return false;
  try {
    const [document] = parseSopsFile(text, 'json', path).documents;
    const tree = document?.tree;
    if (typeof tree !== 'object' || tree === null || Array.isArray(tree) || tree instanceof SopsLeaf) return false;
    return Object.keys(tree).join() === 'data';
  } catch (thrown) {
    // Broken files are told about where they are read.
    if (thrown instanceof SottoError) return false;
    throw thrown;
  }
}

function textOrUndefined(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
