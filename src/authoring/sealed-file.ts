import { SottoError } from '../core/errors.ts';
import { looksEncrypted } from '../sops/file.ts';
import type { FileRecipients, PolicyRule } from '../sops/policy.ts';
import { metadataOf } from '../sops/rekey.ts';
import type { WholeFormat } from '../sops/scalar.ts';

/** A SOPS file of a folder, as it was read. */
export interface SealedFile {
  /** Absolute. */
  readonly path: string;
  /** From the folder on, with slashes. */
  readonly below: string;
  /** As messages call it: from the working directory on. */
  readonly name: string;
  readonly format: WholeFormat;
  readonly text: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where somebody has looked already: it costs more than all the rest. */
  readonly known?: { readonly recipients: FileRecipients; readonly rule: PolicyRule | undefined };
}

/** The format in which a file is encrypted; undefined for one that is not. A name that tells nothing leaves it to the content. */
export function sealedFormat(name: string, text: string): WholeFormat | undefined {
  const format = formatOfName(name);
  if (format !== 'binary') return SIGNS[format](text) ? format : undefined;
  const likely = (['binary', 'json', 'yaml', 'dotenv', 'ini'] as const).filter((each) => SIGNS[each](text));
  return likely.find((each) => isReadable(text, each, name));
}

const SIGNS: Readonly<Record<WholeFormat, (text: string) => boolean>> = {
  yaml: looksEncrypted,
  json: looksEncrypted,
  binary: (text) => text.trimStart().startsWith('{') && /"sops"\s*:/.test(text),
  dotenv: (text) => /^sops_(?:mac|version)=/m.test(text),
  ini: (text) => /^[ \t]*\[sops\]/m.test(text),
};

/** A text that only speaks of sops is no SOPS file. */
function isReadable(text: string, format: WholeFormat, file: string): boolean {
  try {
    metadataOf({ text, format, file });
    return true;
  } catch (thrown) {
    if (thrown instanceof SottoError) return false;
    throw thrown;
  }
}

/** Every name that tells nothing is binary, as in sops; content without a name is nothing until it is said. */
export function formatOfName(name: string): WholeFormat {
  if (/\.ya?ml$/.test(name)) return 'yaml';
  if (name.endsWith('.json')) return 'json';
  if (name.endsWith('.env')) return 'dotenv';
  if (name.endsWith('.ini')) return 'ini';
  if (name !== 'stdin') return 'binary';
  throw new SottoError({
    code: 'SOTTO-CLI-001',
    what: 'nothing says what format the content on stdin has',
    why: 'the format follows from the name, and there is none',
    next: '--filename with the name of the file, or --input-type yaml',
  });
}
