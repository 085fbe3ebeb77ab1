import { type ErrorPlace, SottoError } from '../core/errors.ts';
import { unflatten } from './dotenv.ts';
import { ENC_START, parseEnc } from './enc.ts';
import { type IniSection, parseIni } from './ini.ts';
import { iniSelection } from './ini-selection.ts';
import type { EncryptedValue } from './leaf.ts';
import { parseMetadata, type SopsMetadata, unusable } from './metadata.ts';
import { compileSelector } from './selector.ts';
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
  const selects = compileSelector(selector, { file, line: metadata.line, key: `sops.${selector.kind}` });
  const macItems: MacItem[] = [];
  const content = parsed.filter(({ name }) => name !== INI_METADATA_SECTION);
  const selection = iniSelection(content, selects);
  const sections = content.map((section, index): SealedIniSection => {
    const { name, line } = section;
    const selected = selection[index];
    const keys = section.keys.map((key, nth): SealedIniKey => {
      const path = [name, key.name];
      const isSelected = selected?.keys[nth];
      const place = { file, line: key.line, key: path.join('.') };
      const sealed = isSelected?.value === true ? sealedValue(key.value, path, place) : undefined;
      if (sealed !== undefined) macItems.push({ kind: 'encrypted', value: sealed });
      else if (!macOnlyEncrypted) macItems.push({ kind: 'text', text: key.value });
      const comment = commentOf(key.comment, name, isSelected?.comment === true, { file, line: key.line });
      return { name: key.name, line: key.line, text: key.value, sealed, comment };
    });
    return { name, comment: commentOf(section.comment, name, selected?.comment === true, { file, line }), keys };
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
  place: ErrorPlace & { readonly line: number },
): EncryptedValue | undefined {
  // There is no empty ciphertext.
  if (text === '') return undefined;
  if (!text.startsWith(ENC_START)) throw inClear(place);
  const enc = parseEnc(text);
  if (enc === undefined || enc.type === 'comment') throw damaged(place);
  return { text, enc, path, line: place.line };
}

function commentOf(
  text: string | undefined,
  section: string,
  isSelected: boolean,
  place: { readonly file: string; readonly line: number },
): SealedIniText | undefined {
  if (text === undefined) return undefined;
  const enc = text !== '' && isSelected ? parseEnc(text) : undefined;
  if (enc !== undefined && enc.type !== 'comment' && enc.type !== 'str') throw damaged({ ...place, key: section });
  return { text, sealed: enc === undefined ? undefined : { text, enc, path: [section], line: place.line } };
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
