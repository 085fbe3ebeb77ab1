import { rfc3339 } from '../core/clock.ts';
import { Sensitive } from '../core/sensitive.ts';
import { changeable, type ChangeableSops, notTheSame, textOfBytes, type Unwrap } from './changeable.ts';
import { bytesOf, sealEnc } from './cipher.ts';
import type { DataKey } from './data-key.ts';
import type { ClearIniSection } from './emit-ini.ts';
import { parseIni } from './ini.ts';
import { INI_METADATA_SECTION } from './ini-file.ts';
import { iniPlaces, iniStanding, refuseOtherSelection } from './ini-selection.ts';
import { commentSense, faithfulQuotes, firstDifference, iniText, type IniTree } from './ini-text.ts';
import { KnownEntries } from './known.ts';
import type { EncryptedValue } from './leaf.ts';
import { verifyMac } from './mac.ts';
import { openIniSections, wipeIniSections } from './open-ini.ts';
import { rewriteIni } from './rewrite-ini.ts';
import { type IniSealing, iniMac, type IniToSeal, parseClearIni, sealIniTree } from './seal-ini.ts';
import { compileSelector } from './selector.ts';
import { openedValues, SopsWhole } from './whole.ts';

/** An INI file opened to be changed: in clear as sops lays it out, but with quotes that keep every value. */
export async function openIniForChange(text: string, file: string, unwrap: Unwrap): Promise<ChangeableSops> {
  const whole = new SopsWhole(text, 'ini', file);
  const { metadata } = whole;
  const { selector, macOnlyEncrypted } = metadata;
  const selects = compileSelector(selector, { file, line: metadata.line, key: `sops.${selector.kind}` });
  const dataKey = await unwrap({ file, metadata });
  const known = new KnownEntries();
  const tree = await openTree(whole, dataKey, known);
  const before = iniStanding(tree, selects);
  return changeable({
    metadata,
    dataKey,
    clear: Sensitive.adopt(bytesOf(iniText(tree, file, faithfulQuotes))),
    sealed: async (changed, now) => {
      const wanted = parseClearIni(textOfBytes(changed, file), selects, file, before);
      known.reset();
      const sealing = { file, selects, dataKey, macOnlyEncrypted, known };
      const sealed = rewriteIni(text, await sealedWithBlock(text, wanted, sealing, now), file);
      const content = parseIni(sealed, file).filter(({ name }) => name !== INI_METADATA_SECTION);
      refuseOtherSelection(wanted.selection, content, selects, file);
      const again = await openTree(new SopsWhole(sealed, 'ini', file), dataKey);
      if (firstDifference(again, wanted.tree) !== undefined) throw notTheSame(file);
      return sealed;
    },
  });
}

/** The sops block stays where it is, with another time and MAC. */
async function sealedWithBlock(text: string, wanted: IniToSeal, sealing: IniSealing, now: Date): Promise<IniTree[]> {
  const lastModified = rfc3339(now);
  const mac = await sealEnc(
    iniMac(wanted, sealing.macOnlyEncrypted),
    'str',
    bytesOf(lastModified),
    sealing.dataKey.key,
  );
  const old = parseIni(text, sealing.file);
  const at = old.findIndex(({ name }) => name === INI_METADATA_SECTION);
  const sealed = await sealIniTree(wanted, sealing);
  const blocks = old.slice(at, at + 1).map(({ name, comment, keys }): IniTree => {
    const fields = keys.map((key) => {
      const field = key.name.toLowerCase();
      return { ...key, value: field === 'mac' ? mac : field === 'lastmodified' ? lastModified : key.value };
    });
    return { name, comment, keys: fields };
  });
  const isLast = at === old.length - 1;
  return isLast ? [...sealed, ...blocks] : sealed.toSpliced(at, 0, ...blocks);
}

async function openTree(whole: SopsWhole, dataKey: DataKey, known?: KnownEntries): Promise<IniTree[]> {
  const { parsed, file } = whole;
  if (parsed.kind !== 'ini') throw new TypeError('only an INI file has sections');
  const values = await openedValues(whole, dataKey);
  let clear: readonly ClearIniSection[] = [];
  try {
    await verifyMac(whole, dataKey, values);
    clear = await openIniSections(parsed.sections, values, { file, dataKey });
    if (known !== undefined) remember(parsed.sections, values, known, file);
    const textOf = (bytes: Uint8Array): string => textOfBytes(bytes, file);
    return clear.map(({ name, comment, keys }) => ({
      name,
      comment: comment && textOf(comment),
      keys: keys.map((key) => ({
        name: key.name,
        value: textOf(key.value),
        comment: key.comment && textOf(key.comment),
      })),
    }));
  } finally {
    wipeIniSections(clear);
    for (const bytes of values.values()) bytes.fill(0);
  }
}

type Sections = Extract<SopsWhole['parsed'], { kind: 'ini' }>['sections'];

function remember(
  sections: Sections,
  values: ReadonlyMap<EncryptedValue, Uint8Array>,
  known: KnownEntries,
  file: string,
): void {
  let at = 0;
  const placeOf = iniPlaces();
  const bytesFor = (sealed: EncryptedValue | undefined): Uint8Array | undefined => sealed && values.get(sealed);
  for (const { name, comment, keys } of sections) {
    const place = placeOf(name);
    const addComment = (text: typeof comment, key: string): void => {
      if (text === undefined) return;
      // One that is in clear was put there by hand, and stays.
      const bytes = bytesFor(text.sealed) ?? Buffer.from(text.text);
      const sense = Buffer.from(commentSense(textOfBytes(bytes, file)));
      known.add((at += 1), text.text, [known.keyOf('comment', [...place, key], sense)]);
    };
    addComment(comment, '');
    for (const key of keys) {
      const bytes = bytesFor(key.sealed);
      const type = key.sealed?.enc.type;
      // Of other types the text is not what counts in the MAC: such a value becomes a string, as in sops.
      if (bytes !== undefined && (type === 'str' || type === 'int')) {
        known.add((at += 1), key.text, [known.keyOf('value str', [...place, key.name], bytes)]);
      }
      addComment(key.comment, key.name);
    }
  }
}
