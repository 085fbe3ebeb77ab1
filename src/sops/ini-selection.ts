import { SottoError } from '../core/errors.ts';
import { CommentRuns } from './comment-runs.ts';
import type { IniSection } from './ini.ts';
import type { CommentSelects, Selects } from './selector.ts';

/** A section with what names and comments it has. */
export type IniNames = Pick<IniSection, 'name' | 'comment'> & {
  readonly keys: readonly Pick<IniSection['keys'][number], 'name' | 'value' | 'comment'>[];
};

/** What the selector wants encrypted of a section; what is empty never is. */
export interface IniSelected {
  readonly comment: boolean;
  readonly keys: readonly { readonly value: boolean; readonly comment: boolean }[];
}

export function iniSelection(sections: readonly IniNames[], selects: Selects): IniSelected[] {
  return sections.map((section) =>
    selects.by === 'key' ? chosenByKey(section, selects.encrypts) : chosenByComments(section, selects),
  );
}

function chosenByKey({ name, keys }: IniNames, encrypts: Extract<Selects, { by: 'key' }>['encrypts']): IniSelected {
  const comment = encrypts([name]);
  return { comment, keys: keys.map((key) => ({ value: encrypts([name, key.name]), comment })) };
}

/** sops puts the comment of a key behind it: what it says counts for the next key; that of a section for its first. */
function chosenByComments({ comment, keys }: IniNames, selects: CommentSelects): IniSelected {
  const runs = new CommentRuns(selects);
  runs.enter();
  const passed = (text: string | undefined): boolean => text !== undefined && runs.encryptsComment(text);
  const ofSection = passed(comment);
  const chosen = keys.map((key) => {
    const value = runs.encryptsValue;
    runs.entryEnds();
    return { value, comment: passed(key.comment) };
  });
  return { comment: ofSection, keys: chosen };
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

/**
 * Refuses what would leave a value in clear by mistake: one that looks marked to be encrypted to whoever reads the file,
 * and one that was encrypted. What was so in the file before stays as it was. Throws SottoError.
 */
export function refuseExposed(
  sections: readonly IniNames[],
  selects: Selects,
  file: string,
  before: readonly IniStanding[] = [],
): void {
  if (selects.by === 'key') return;
  const old = new Map(before.map((value) => [value.place, value]));
  for (const { place, path, isSealed, looksSealed } of iniStanding(sections, selects)) {
    if (isSealed) continue;
    const was = old.get(place);
    const wasExposed = was !== undefined && was.looksSealed && !was.isSealed;
    if (was?.isSealed !== true && (!looksSealed || wasExposed)) continue;
    throw notCertain(
      file,
      'sops counts the comment above a key for the key after it, and that above a section for its first key: ' +
        'this value would be in clear',
      path,
    );
  }
}

/** How a value stands in the file; without the value. */
export interface IniStanding {
  readonly place: string;
  readonly path: string;
  readonly isSealed: boolean;
  /** As the file is read by people: a comment is for what stands below it, above a section for all of it. */
  readonly looksSealed: boolean;
}

export function iniStanding(sections: readonly IniNames[], selects: Selects): IniStanding[] {
  if (selects.by === 'key') return [];
  const placeOf = iniPlaces();
  const selection = iniSelection(sections, selects);
  const marks = (comment: string | undefined): boolean => comment !== undefined && selects.matches(comment);
  return sections.flatMap(({ name, comment, keys }, index) => {
    const place = placeOf(name);
    return keys.flatMap((key, nth): IniStanding[] => {
      if (key.value === '') return [];
      const isSealed = selection[index]?.keys[nth]?.value === true;
      const looksSealed = (marks(comment) || marks(key.comment)) === selects.encryptsMatched;
      return [{ place: JSON.stringify([...place, key.name]), path: `${name}.${key.name}`, isSealed, looksSealed }];
    });
  });
}

/**
 * sops changes markers and blanks of comments as it writes them. Refuses a file in which that changes what they choose:
 * sops could not open its own. Throws SottoError.
 */
export function refuseOtherSelection(
  wanted: readonly IniSelected[],
  sealed: readonly IniNames[],
  selects: Selects,
  file: string,
): void {
  if (selects.by === 'key') return;
  const read = iniSelection(sealed, selects);
  for (const [index, { name, keys }] of sealed.entries()) {
    for (const [nth, key] of keys.entries()) {
      if (key.value === '' || wanted[index]?.keys[nth]?.value === read[index]?.keys[nth]?.value) continue;
      const why = 'a comment that matches reads differently, or is gone, once it is written as sops writes comments';
      throw notCertain(file, why, `${name}.${key.name}`);
    }
  }
}

function notCertain(file: string, why: string, key: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-009',
    what: 'what the comments of the file choose to encrypt is not certain',
    why,
    next: 'select by key name, encrypted_regex; or give the section and each of its keys a comment that matches',
    file,
    key,
  });
}
