import { describe, expect, it } from 'vitest';
import type { EncryptedDocuments } from '../../../src/authoring/rotation/documents.ts';
import { planRotation } from '../../../src/authoring/rotation/plan.ts';
import { newcomers, seenRecipients } from '../../../src/authoring/rotation/seen.ts';
import { repositoryOf } from './repository.ts';

const PAIR = { old: 'age1old', made: 'age1made' };
const [OLD, KIM, MALLORY] = ['age1old', 'age1kim', 'age1mallory'];

/** Whom a rotation of `there` lets in whom nobody has seen in `here`, with the file. */
function strangers(here: EncryptedDocuments, there: EncryptedDocuments): string[] {
  const planOf = (documents: EncryptedDocuments) => planRotation(documents, { age: PAIR, seals: false });
  const seen = seenRecipients(here, planOf(here), PAIR);
  return newcomers(seen, there, planOf(there), PAIR).map(({ file, finding }) => `${file} ${finding}`);
}

const ruleFor = (...names: readonly string[]): string => `creation_rules:\n- age: ${names.join(',')}\n`;

describe('what others have pushed after a person has said yes', () => {
  it('lets nobody in where files are for the same people, be the new key among them already, or more files', () => {
    const here = repositoryOf({ 'a.yaml': [[OLD, KIM]] }, ruleFor(OLD, KIM));
    expect(strangers(here, here)).toEqual([]);
    expect(
      strangers(here, repositoryOf({ 'a.yaml': [[OLD, KIM]], 'b.yaml': [[OLD, KIM]] }, ruleFor(OLD, KIM))),
    ).toEqual([]);
    const bare = repositoryOf({ 'a.yaml': [[OLD, KIM]] });
    expect(strangers(bare, repositoryOf({ 'a.yaml': [[KIM, OLD, 'age1made']] }))).toEqual([]);
    expect(strangers(bare, repositoryOf({ 'a.yaml': [[OLD, KIM]], 'b.yaml': [[OLD]] }))).toEqual([]);
  });

  it('lets in whom a file names that was there, and is another one too where somebody is gone', () => {
    const here = repositoryOf({ 'a.yaml': [[OLD, KIM]] });
    expect(strangers(here, repositoryOf({ 'a.yaml': [[OLD, KIM, MALLORY]] }))).toEqual([`a.yaml is for ${MALLORY}`]);
    expect(strangers(here, repositoryOf({ 'a.yaml': [[OLD]] }))).toEqual([
      'a.yaml is for other recipients or groups than before',
    ]);
  });

  it('lets in whom a new file names, also somebody for whom only some of the files are', () => {
    const here = repositoryOf({ 'a.yaml': [[OLD, KIM]], 'b.yaml': [[OLD]] });
    const more = (...names: readonly string[]) =>
      repositoryOf({ 'a.yaml': [[OLD, KIM]], 'b.yaml': [[OLD]], 'new.yaml': [[OLD, ...names]] });
    expect(strangers(here, more())).toEqual([]);
    expect(strangers(here, more(MALLORY))).toEqual([`new.yaml is new, and for ${MALLORY}`]);
    expect(strangers(here, more(KIM))).toEqual([`new.yaml is new, and for ${KIM}`]);
  });

  it('lets in whoever opens a file alone that took two', () => {
    const [groups, rules] = [[[OLD], [KIM], ['age1lee']], undefined];
    const here = repositoryOf({ 'a.yaml': { groups, threshold: 2 } }, rules);
    expect(strangers(here, repositoryOf({ 'a.yaml': { groups, threshold: 2 } }))).toEqual([]);
    for (const looser of [
      { groups, threshold: 1 },
      { groups: [groups.flat()], threshold: 1 },
    ])
      expect(strangers(here, repositoryOf({ 'a.yaml': looser }))).toEqual([
        'a.yaml is for other recipients or groups than before',
      ]);
  });

  it('lets in whom a rule for the old key names, and nobody by a rule for others', () => {
    const here = repositoryOf({ 'a.yaml': [[OLD]] }, ruleFor(OLD));
    const later = (...names: readonly string[]): string =>
      `creation_rules:\n- {path_regex: later, age: "${names.join(',')}"}\n- age: ${OLD}\n`;
    expect(strangers(here, repositoryOf({ 'a.yaml': [[OLD]] }, later(OLD, MALLORY)))).toEqual([
      `.sops.yaml names ${MALLORY}`,
    ]);
    expect(strangers(here, repositoryOf({ 'a.yaml': [[OLD]] }, later(MALLORY)))).toEqual([]);
  });
});
