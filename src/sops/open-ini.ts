import { openEnc, pathAad } from './cipher.ts';
import type { DataKey } from './data-key.ts';
import { type ClearIniSection, emitIni, iniValue } from './emit-ini.ts';
import type { SealedIniSection, SealedIniText } from './ini-file.ts';
import type { EncryptedValue } from './leaf.ts';

interface Opening {
  readonly file: string;
  readonly dataKey: DataKey;
}

/** What `sops -d` writes. Opened values are the caller's; those of comments are put to them, so that all are wiped. */
export async function openIniText(
  sections: readonly SealedIniSection[],
  values: Map<EncryptedValue, Uint8Array<ArrayBuffer>>,
  opening: Opening,
): Promise<Uint8Array<ArrayBuffer>> {
  const clear = await openIniSections(sections, values, opening);
  try {
    return emitIni(clear, opening.file);
  } finally {
    wipeIniSections(clear);
  }
}

export async function openIniSections(
  sections: readonly SealedIniSection[],
  values: Map<EncryptedValue, Uint8Array<ArrayBuffer>>,
  { file, dataKey }: Opening,
): Promise<ClearIniSection[]> {
  await openIniComments(sections, values, dataKey);
  const textOf = ({ text, sealed }: SealedIniText): Uint8Array => {
    const bytes = sealed === undefined ? undefined : values.get(sealed);
    return bytes === undefined || sealed === undefined ? Buffer.from(text) : iniValue(sealed.enc.type, bytes, file);
  };
  return sections.map(({ name, comment, keys }) => ({
    name,
    comment: comment && textOf(comment),
    keys: keys.map((key) => ({ name: key.name, value: textOf(key), comment: key.comment && textOf(key.comment) })),
  }));
}

export async function openIniComments(
  sections: readonly SealedIniSection[],
  values: Map<EncryptedValue, Uint8Array<ArrayBuffer>>,
  dataKey: DataKey,
): Promise<void> {
  for (const { comment, keys } of sections) {
    for (const each of [comment, ...keys.map((key) => key.comment)]) {
      if (each?.sealed === undefined) continue;
      // A comment that does not open is kept as it is, as sops does.
      const bytes = await openEnc(each.sealed.enc, pathAad(each.sealed.path), dataKey.key);
      if (bytes !== undefined) values.set(each.sealed, bytes);
    }
  }
}

export function wipeIniSections(sections: readonly ClearIniSection[]): void {
  for (const { comment, keys } of sections) {
    comment?.fill(0);
    for (const key of keys) {
      key.value.fill(0);
      key.comment?.fill(0);
    }
  }
}
