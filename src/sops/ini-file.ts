import { type ErrorPlace, SottoError } from '../core/errors.ts';
import { unflatten } from './dotenv.ts';
import { ENC_START, parseEnc } from './enc.ts';
import { type IniSection, parseIni } from './ini.ts';
import type { EncryptedValue } from './leaf.ts';
import { parseMetadata, type SopsMetadata, unusable } from './metadata.ts';
import { compileKeySelector, type KeySelects } from './selector.ts';
import { damaged, inClear, type MacItem } from './walk.ts';

/** Name of the section with the sops block. */
export const INI_METADATA_SECTION = 'sops';

export interface SealedIni {
  readonly metadata: SopsMetadata;
  readonly macItems: readonly MacItem[];
  /** Without the sops block. */
  readonly sections: readonly SealedIniSection[];
}

export interface SealedIniSection {
  readonly name: string;
  readonly comment: SealedIniText | undefined;
  readonly keys: readonly SealedIniKey[];
}

export interface SealedIniKey extends SealedIniText {
  readonly name: string;
  readonly line: number;
  readonly comment: SealedIniText | undefined;
}

/** A value or comment as it stands in the file, and what is encrypted of it. */
export interface SealedIniText {
  readonly text: string;
  readonly sealed: EncryptedValue | undefined;
}

/** Throws SottoError. */
export function parseSealedIni(text: string, file: string): SealedIni {
  const parsed = parseIni(text, file);
  const metadata = metadataOf(parsed, file);
  const { selector, macOnlyEncrypted } = metadata;
  const selects = compileKeySelector(selector, { file, line: metadata.line, key: `sops.${selector.kind}` });
  const macItems: MacItem[] = [];
  const sections = parsed
    .filter(({ name }) => name !== INI_METADATA_SECTION)
    .map((section): SealedIniSection => {
      const { name, line, comment } = section;
      const keys = section.keys.map((key): SealedIniKey => {
        const path = [name, key.name];
        const sealed = sealedValue(key.value, path, selects, { file, line: key.line, key: path.join('.') });
        if (sealed !== undefined) macItems.push({ kind: 'encrypted', value: sealed });
        else if (!macOnlyEncrypted) macItems.push({ kind: 'text', text: key.value });
        const beside = commentOf(key.comment, name, key.line, { selects, file });
        return { name: key.name, line: key.line, text: key.value, sealed, comment: beside };
      });
      return { name, comment: commentOf(comment, name, line, { selects, file }), keys };
    });
  return { metadata, macItems, sections };
}

function metadataOf(sections: readonly IniSection[], file: string): SopsMetadata {
  const [block, second] = sections.filter(({ name }) => name === INI_METADATA_SECTION);
  if (second !== undefined) {
    throw unusable({ file, line: second.line, key: INI_METADATA_SECTION }, 'the section sops occurs twice');
  }
  if (block === undefined) throw noBlock(file);
  const fields = block.keys.map(({ name, line, value }) => ({ name, line, text: value.replaceAll('\\n', '\n') }));
  return parseMetadata({ ...unflatten(fields, file), line: block.line }, 'yaml', file);
}

function sealedValue(
  text: string,
  path: readonly string[],
  selects: KeySelects,
  place: ErrorPlace & { readonly line: number },
): EncryptedValue | undefined {
  // There is no empty ciphertext.
  if (text === '' || !selects(path)) return undefined;
  if (!text.startsWith(ENC_START)) throw inClear(place);
  const enc = parseEnc(text);
  if (enc === undefined || enc.type === 'comment') throw damaged(place);
  return { text, enc, path, line: place.line };
}

function commentOf(
  text: string | undefined,
  section: string,
  line: number,
  { selects, file }: { readonly selects: KeySelects; readonly file: string },
): SealedIniText | undefined {
  if (text === undefined) return undefined;
  const path = [section];
  const enc = text !== '' && selects(path) ? parseEnc(text) : undefined;
  if (enc !== undefined && enc.type !== 'comment' && enc.type !== 'str') throw damaged({ file, line, key: section });
  return { text, sealed: enc === undefined ? undefined : { text, enc, path, line } };
}

function noBlock(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-002',
    what: 'the file has no sops block',
    why: 'an INI file that sops encrypted has its metadata in the section sops',
    next: 'restore the file from Git history, or encrypt it: sotto encrypt -i',
    file,
  });
}
