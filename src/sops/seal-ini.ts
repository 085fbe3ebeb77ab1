import { SottoError } from '../core/errors.ts';
import { bytesOf, pathAad, sealEnc } from './cipher.ts';
import type { DataKey } from './data-key.ts';
import { parseIni } from './ini.ts';
import { INI_METADATA_SECTION } from './ini-file.ts';
import { commentLines, commentSense, type IniTree } from './ini-text.ts';
import type { KnownEntries } from './known.ts';
import { macText, ONLY_ENCRYPTED_PREFIX } from './mac.ts';
import type { Selects } from './selector.ts';

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
  readonly selects: Selects;
  readonly dataKey: DataKey;
  readonly macOnlyEncrypted: boolean;
  readonly known?: KnownEntries;
}

/** The tree with ciphertext where the selector wants it. */
export async function sealIniTree(tree: readonly IniTree[], sealing: IniSealing): Promise<IniTree[]> {
  const { selects } = sealing;
  const sealed: IniTree[] = [];
  for (const section of tree) {
    const { name } = section;
    const commentOf = async (text: string | undefined): Promise<string | undefined> => {
      if (text === undefined || !selects([name])) return text;
      return sealText(text, 'comment', [name], commentSense(text), sealing);
    };
    const keys: IniTree['keys'][number][] = [];
    const comment = await commentOf(section.comment);
    for (const key of section.keys) {
      const path = [name, key.name];
      const isSealed = key.value !== '' && selects(path);
      const value = isSealed ? await sealText(key.value, 'value str', path, key.value, sealing) : key.value;
      keys.push({ name: key.name, value, comment: await commentOf(key.comment) });
    }
    sealed.push({ name, comment, keys });
  }
  return sealed;
}

/** `known` is what an unchanged text is known by. */
async function sealText(
  text: string,
  kind: 'comment' | 'value str',
  path: readonly string[],
  known: string,
  sealing: IniSealing,
): Promise<string> {
  const token = sealing.known?.take([sealing.known.keyOf(kind, path, Buffer.from(known))]);
  if (token !== undefined) return token;
  const bytes = bytesOf(text);
  try {
    return await sealEnc(bytes, kind === 'comment' ? 'comment' : 'str', pathAad(path), sealing.dataKey.key);
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
