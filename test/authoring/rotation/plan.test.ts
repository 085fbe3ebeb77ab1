import { describe, expect, it } from 'vitest';
import type { EncryptedDocuments } from '../../../src/authoring/rotation/documents.ts';
import { type PlannedSops, planRotation } from '../../../src/authoring/rotation/plan.ts';
import { errorOf } from '../../sealed/material.ts';
import { repositoryOf } from './repository.ts';

const PAIR = { old: 'age1old', made: 'age1made' };
const [OLD, KIM, MALLORY] = ['age1old', 'age1kim', 'age1mallory'];

/** A rule of three key groups, of which so many are wanted. */
const groupsOf = (threshold: number): string =>
  `creation_rules:\n- {shamir_threshold: ${threshold}, key_groups: [{age: [${OLD}]}, {age: [${KIM}]}, {age: [age1lee]}]}\n`;

function planned(documents: EncryptedDocuments): readonly Omit<PlannedSops, 'file'>[] {
  const { sops } = planRotation(documents, { age: PAIR, seals: false });
  return sops.map(({ groups, threshold, before }) => ({ groups, threshold, before }));
}

async function refusal(documents: EncryptedDocuments): Promise<string> {
  return (await errorOf(() => planned(documents))).code;
}

describe('the plan of a rotation', () => {
  it('puts the new recipient in the place of the old one, in its group, and keeps how many groups it takes', () => {
    const groups = [[OLD], [KIM], ['age1lee']];
    const made = [['age1made'], [KIM], ['age1lee']];
    for (const threshold of [2, 3]) {
      const file = { groups, threshold };
      const expected = [{ groups: made, threshold, before: groups }];
      expect(planned(repositoryOf({ 'a.yaml': file }, groupsOf(threshold)))).toEqual(expected);
      expect(planned(repositoryOf({ 'a.yaml': file }))).toEqual(expected);
    }
  });

  it('takes the old recipient out where the new one stands beside it already, as after recipients add', () => {
    const [before, after] = [
      `creation_rules:\n- age: ${OLD},age1made # both\n- age: ${OLD}\n`,
      `creation_rules:\n- age: age1made # both\n- age: age1made\n`,
    ];
    const { policies, sops } = planRotation(repositoryOf({ 'a.yaml': [[OLD, 'age1made']] }, before), {
      age: PAIR,
      seals: false,
    });
    expect(policies.map(({ text }) => text)).toEqual([after]);
    expect(sops.map(({ groups }) => groups)).toEqual([[['age1made']]]);
  });

  it('is none while a file is for somebody whom its rule does not name', async () => {
    expect(await refusal(repositoryOf({ 'a.yaml': [[OLD, MALLORY]] }, `creation_rules:\n- age: ${OLD}\n`))).toBe(
      'SOTTO-CLI-216',
    );
  });

  it('is none while a rule names somebody for whom the file is not', async () => {
    const wider = `creation_rules:\n- age: ${OLD},${MALLORY}\n`;
    expect(await refusal(repositoryOf({ 'a.yaml': [[OLD]] }, wider))).toBe('SOTTO-ROTATE-028');
  });

  it('is none while a rule names the old key where the file does not have it: not even the new one is let in', async () => {
    expect(await refusal(repositoryOf({ 'a.yaml': [[KIM]] }, `creation_rules:\n- age: ${OLD},${KIM}\n`))).toBe(
      'SOTTO-ROTATE-028',
    );
    // Alone it would open what takes two.
    const both = (second: string): string =>
      `creation_rules:\n- {shamir_threshold: 2, key_groups: [{age: [${OLD}]}, {age: [${KIM}, ${second}]}]}\n`;
    const file = { groups: [[OLD], [KIM]], threshold: 2 };
    for (const name of [OLD, 'age1made'])
      expect(await refusal(repositoryOf({ 'a.yaml': file }, both(name)))).toBe('SOTTO-ROTATE-028');
  });

  it('takes a file that has the new key already, where the rule still names the old one beside it', () => {
    const rules = `creation_rules:\n- age: ${OLD},age1made,${KIM}\n`;
    const documents = repositoryOf({ 'a.yaml': [['age1made', KIM]] }, rules);
    expect(planned(documents)).toMatchObject([{ groups: [['age1made', KIM]] }]);
  });

  it('is none by a rule with which fewer people open a file together: other groups, or fewer of the same', async () => {
    const file = { groups: [[OLD], [KIM], ['age1lee']], threshold: 3 };
    const one = `creation_rules:\n- age: ${OLD},${KIM},age1lee\n`;
    expect(await refusal(repositoryOf({ 'a.yaml': file }, one))).toBe('SOTTO-ROTATE-028');
    expect(await refusal(repositoryOf({ 'a.yaml': file }, groupsOf(2)))).toBe('SOTTO-ROTATE-028');
    // More of them is no such thing.
    const fewer = { ...file, threshold: 2 };
    expect(planned(repositoryOf({ 'a.yaml': fewer }, groupsOf(3)))).toMatchObject([{ threshold: 3 }]);
  });

  it('is none while no rule speaks of a file for the old key, and leaves one for others as it is', async () => {
    const rules = `creation_rules:\n- {path_regex: ^b, age: "${OLD}"}\n`;
    expect(await refusal(repositoryOf({ 'a.yaml': [[OLD]] }, rules))).toBe('SOTTO-ROTATE-006');
    const { sops, kept } = planRotation(repositoryOf({ 'a.yaml': [[KIM]] }, rules), { age: PAIR, seals: false });
    expect({ sops, kept }).toEqual({ sops: [], kept: [{ path: 'a.yaml', why: 'it is not for the old key' }] });
  });
});
