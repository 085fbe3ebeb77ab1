import { SottoError } from '../core/errors.ts';
import { bytesOf, pathAad, sealEnc } from './cipher.ts';
import type { DataKey } from './data-key.ts';
import { parseIni } from './ini.ts';
import { INI_METADATA_SECTION } from './ini-file.ts';
import { commentLines, commentSense, type IniTree } from './ini-text.ts';
import type { KnownEntries } from './known.ts';
import { macText, ONLY_ENCRYPTED_PREFIX } from './mac.ts';
import type { KeySelects } from './selector.ts';

/** An INI file in clear. Throws SottoError for what sops would refuse to encrypt, or could not decrypt afterwards. */
export function parseClearIni(text: string, file: string): IniTree[] {
  return parseIni(text, file).map((section): IniTree => {
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
}

export interface IniSealing {
  readonly selects: KeySelects;
  readonly dataKey: DataKey;
  readonly macOnlyEncrypted: boolean;
  readonly known?: KnownEntries;
}

/** The tree with ciphertext where the selector wants it. */
export async function sealIniTree(tree: readonly IniTree[], sealing: IniSealing): Promise<IniTree[]> {
  const { selects } = sealing;
  const sealed: IniTree[] = [];
  const placeOf = iniPlaces();
  for (const section of tree) {
    const { name } = section;
    const place = placeOf(name);
    const commentOf = async (text: string | undefined, key: string): Promise<string | undefined> => {
      if (text === undefined || !selects([name])) return text;
      return sealText({ text, kind: 'comment', path: [name], place: [...place, key] }, sealing);
    };
    const comment = await commentOf(section.comment, '');
    const keys: IniTree['keys'][number][] = [];
    for (const key of section.keys) {
      const path = [name, key.name];
      const isSealed = key.value !== '' && selects(path);
      const text: SealedText = { text: key.value, kind: 'value str', path, place: [...place, key.name] };
      const value = isSealed ? await sealText(text, sealing) : key.value;
      keys.push({ name: key.name, value, comment: await commentOf(key.comment, key.name) });
    }
    sealed.push({ name, comment, keys });
  }
  return sealed;
}

/** Sections of one name are told apart by their number: what stayed keeps its own ciphertext. */
export function iniPlaces(): (section: string) => readonly string[] {
  const counts = new Map<string, number>();
  return (section) => {
    const count = (counts.get(section) ?? 0) + 1;
    counts.set(section, count);
    return [section, String(count)];
  };
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

export function iniMac(tree: readonly IniTree[], { selects, macOnlyEncrypted }: IniSealing): Uint8Array<ArrayBuffer> {
  const parts = tree.flatMap(({ name, keys }) =>
    keys.flatMap((key) => (!macOnlyEncrypted || selects([name, key.name]) ? [bytesOf(key.value)] : [])),
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
