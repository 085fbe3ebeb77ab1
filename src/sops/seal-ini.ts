import { SottoError } from '../core/errors.ts';
import { bytesOf, pathAad, sealEnc } from './cipher.ts';
import type { DataKey } from './data-key.ts';
import { parseIni } from './ini.ts';
import { INI_METADATA_SECTION } from './ini-file.ts';
import { iniPlaces, iniSelection, type IniSelected, type IniStanding, refuseExposed } from './ini-selection.ts';
import { commentLines, commentSense, type IniTree } from './ini-text.ts';
import type { KnownEntries } from './known.ts';
import { macText, ONLY_ENCRYPTED_PREFIX } from './mac.ts';
import { refuseSaying } from './selection.ts';
import type { Selects } from './selector.ts';

/** An INI file in clear, and what of it is to be encrypted. */
export interface IniToSeal {
  readonly tree: readonly IniTree[];
  readonly selection: readonly IniSelected[];
}

/**
 * `before` is how the values stood until now. Throws SottoError for what sops would refuse to encrypt, or could not decrypt
 * afterwards, and where a comment selector leaves a doubt.
 */
export function parseClearIni(
  text: string,
  selects: Selects,
  file: string,
  before?: readonly IniStanding[],
): IniToSeal {
  const sections = parseIni(text, file);
  const tree = sections.map((section): IniTree => {
    const { name, line, keys } = section;
    if (name === INI_METADATA_SECTION) throw reserved(file, line);
    const checked = (comment: string | undefined, of: 'section' | 'key'): string | undefined => {
      commentLines(comment, of, file);
      return comment === '' ? undefined : comment;
    };
    return {
      name,
      comment: checked(section.comment, 'section'),
      keys: keys.map((key) => ({ name: key.name, value: key.value, comment: checked(key.comment, 'key') })),
    };
  });
  refuseExposed(sections, selects, file, before);
  // Of the comments as they are read: an empty one, too, may match.
  return { tree, selection: iniSelection(sections, selects) };
}

export interface IniSealing {
  readonly file: string;
  readonly selects: Selects;
  readonly dataKey: DataKey;
  readonly macOnlyEncrypted: boolean;
  readonly known?: KnownEntries;
}

/** The tree with ciphertext where the selector wants it. */
export async function sealIniTree({ tree, selection }: IniToSeal, sealing: IniSealing): Promise<IniTree[]> {
  const sealed: IniTree[] = [];
  const placeOf = iniPlaces();
  for (const [index, section] of tree.entries()) {
    const { name } = section;
    const place = placeOf(name);
    const selected = selection[index];
    const commentOf = async (
      text: string | undefined,
      key: string,
      isSelected: boolean | undefined,
    ): Promise<string | undefined> => {
      if (text === undefined || isSelected !== true) return text;
      const token = await sealText({ text, kind: 'comment', path: [name], place: [...place, key] }, sealing);
      refuseSaying(sealing.selects, token, sealing.file);
      return token;
    };
    const comment = await commentOf(section.comment, '', selected?.comment);
    const keys: IniTree['keys'][number][] = [];
    for (const [nth, key] of section.keys.entries()) {
      const path = [name, key.name];
      const isSelected = selected?.keys[nth];
      const isSealed = key.value !== '' && isSelected?.value === true;
      const text: SealedText = { text: key.value, kind: 'value str', path, place: [...place, key.name] };
      const value = isSealed ? await sealText(text, sealing) : key.value;
      keys.push({ name: key.name, value, comment: await commentOf(key.comment, key.name, isSelected?.comment) });
    }
    sealed.push({ name, comment, keys });
  }
  return sealed;
}

interface SealedText {
  readonly text: string;
  readonly kind: 'comment' | 'value str';
  /** What its ciphertext is bound to. */
  readonly path: readonly string[];
  /** Where it is known to stand. */
  readonly place: readonly string[];
}

async function sealText({ text, kind, path, place }: SealedText, { known, dataKey }: IniSealing): Promise<string> {
  const content = kind === 'comment' ? commentSense(text) : text;
  const token = known?.take([known.keyOf(kind, place, Buffer.from(content))]);
  if (token !== undefined) return token;
  const bytes = bytesOf(text);
  try {
    return await sealEnc(bytes, kind === 'comment' ? 'comment' : 'str', pathAad(path), dataKey.key);
  } finally {
    bytes.fill(0);
  }
}

export function iniMac({ tree, selection }: IniToSeal, macOnlyEncrypted: boolean): Uint8Array<ArrayBuffer> {
  const parts = tree.flatMap(({ keys }, index) =>
    keys.flatMap((key, nth) =>
      !macOnlyEncrypted || selection[index]?.keys[nth]?.value === true ? [bytesOf(key.value)] : [],
    ),
  );
  const plaintext = Buffer.concat([macOnlyEncrypted ? ONLY_ENCRYPTED_PREFIX : Buffer.alloc(0), ...parts]);
  const mac = macText(plaintext);
  for (const bytes of [plaintext, ...parts]) bytes.fill(0);
  return mac;
}

function reserved(file: string, line: number): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-016',
    what: 'the file is already encrypted',
    why: 'the section sops of an INI file belongs to sops',
    next: 'decrypt it first (sotto decrypt -i), or rename the section',
    file,
    line,
    key: INI_METADATA_SECTION,
  });
}
