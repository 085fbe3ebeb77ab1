import { beforeAll, describe, expect, it } from 'vitest';
import type { RecipientSettings } from '../../src/agent/rotation/allowed.ts';
import { intentOf, type Intent, withKey } from '../../src/agent/rotation/goal.ts';
import { documentsOf, type EncryptedDocuments } from '../../src/authoring/rotation/documents.ts';
import type { ParsedKeySecret } from '../../src/keys/parse-keys.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { errorOf } from '../sealed/material.ts';

const NOW = new Date('2027-01-31T12:00:00Z');
const [old, kim, made] = [1, 2, 3].map(() => makeIdentity(NOW).identity);
if (old === undefined || kim === undefined || made === undefined) throw new Error('there are three');

const AGE = { keys: 'age', old: undefined } as const;

function settings(recipients: readonly string[] = [], recovery: readonly string[] = []): RecipientSettings {
  return {
    rotation: { receiptKey: undefined, recipients },
    sealing: { enabled: false, secretNames: [], certificate: undefined, recovery },
  };
}

const ALL = settings([old.recipient, kim.recipient, made.recipient]);

function keySecret(
  name: string,
  identity: NonNullable<typeof old>,
  annotations: Readonly<Record<string, string>> = {},
): ParsedKeySecret {
  const mark = { name, labels: { 'sotto.dev/use': 'keys' }, annotations };
  return { mark, ageIdentities: [identity], pgpIdentities: [], sealingKey: undefined, credentials: [], problems: [] };
}

const pending = keySecret('made', made, { 'sotto.dev/origin': 'sotto', 'sotto.dev/replaces': old.recipient });

async function repository(recipients: readonly string[], rule: readonly string[]): Promise<EncryptedDocuments> {
  const file = await encryptFile(Buffer.from('A=b\n'), { format: 'dotenv', file: 'a.env', recipients, now: NOW });
  const rules = `creation_rules:\n- age: ${rule.join(',')}\n`;
  return documentsOf(
    new Map([
      ['a.env', Buffer.from(file)],
      ['.sops.yaml', Buffer.from(rules)],
    ]),
    '/',
  );
}

function planned({ plan }: Intent): readonly unknown[] {
  return plan.sops.map(({ groups }) => groups);
}

describe('what a rotation by the agent would do', () => {
  let alone: EncryptedDocuments;
  let together: EncryptedDocuments;
  beforeAll(async () => {
    alone = await repository([old.recipient], [old.recipient]);
    together = await repository([old.recipient, kim.recipient], [old.recipient, kim.recipient]);
  });

  it('is for the same people as before, and its id changes with who they are and with the key that goes', async () => {
    const one = intentOf(alone, [old], [], AGE, ALL);
    const two = intentOf(together, [old], [], AGE, ALL);
    expect([one.others, two.others]).toEqual([[], [kim.recipient]]);
    expect(one.id).toMatch(/^[0-9a-f]{16}$/);
    expect(two.id).not.toBe(one.id);
    const other = intentOf(together, [old, kim], [], { keys: 'age', old: kim.recipient }, ALL);
    expect(other.id).not.toBe(two.id);
    expect((await errorOf(() => intentOf(together, [old, kim], [], AGE, ALL))).code).toBe('SOTTO-ROTATE-001');
  });

  it('takes the key that an interrupted one has made, under the same id', () => {
    const before = intentOf(alone, [old], [], AGE, ALL);
    const after = intentOf(alone, [old, made], [pending], AGE, ALL);
    expect(after).toMatchObject({ id: before.id, goal: { age: { old: old.recipient, made: made.recipient } } });
    expect(after.pending?.secret.mark.name).toBe('made');
    expect(planned(withKey(before, alone, made.recipient))).toEqual(planned(after));
  });

  it('takes no key that sotto has not made, that replaces another, or that only opens', () => {
    const marks = pending.mark.annotations;
    for (const annotations of [
      { ...marks, 'sotto.dev/origin': 'somebody' },
      { ...marks, 'sotto.dev/replaces': kim.recipient },
      { ...marks, 'sotto.dev/state': 'decrypt-only' },
    ])
      expect(intentOf(alone, [old, made], [keySecret('made', made, annotations)], AGE, ALL).pending).toBeUndefined();
  });

  it('lets nobody in whom a rule names and a file does not have', async () => {
    const wider = await repository([old.recipient], [old.recipient, kim.recipient]);
    const error = await errorOf(() => intentOf(wider, [old], [], AGE, ALL));
    expect(error.code).toBe('SOTTO-ROTATE-028');
    expect(error.text()).toContain('(a.env)');
  });

  it('is only for those whom the settings name, and for whom recovery copies are', async () => {
    const refused = await errorOf(() => intentOf(together, [old], [], AGE, settings()));
    expect(refused.code).toBe('SOTTO-ROTATE-120');
    expect(refused.text()).toContain(`recipients: [ "${kim.recipient}" ]`);
    const other = await errorOf(() => intentOf(together, [old], [], AGE, settings([made.recipient])));
    expect(other.text()).toContain(`recipients: [ "${made.recipient}", "${kim.recipient}" ]`);
    expect(intentOf(together, [old], [], AGE, settings([kim.recipient])).others).toEqual([kim.recipient]);
    expect(intentOf(together, [old], [], AGE, settings([], [kim.recipient])).others).toEqual([kim.recipient]);
    expect(intentOf(alone, [old], [], AGE, settings()).others).toEqual([]);
  });

  it('names as many as there are room for, and the command that lists them all', async () => {
    const many = Array.from({ length: 20 }, () => makeIdentity(NOW).identity.recipient);
    const documents = await repository([old.recipient, ...many], [old.recipient, ...many]);
    const text = (await errorOf(() => intentOf(documents, [old], [], AGE, settings()))).text();
    expect(text).toContain('and 19 more');
    expect(text).toContain('sotto recipients list');
    expect(text.length).toBeLessThan(1000);
  });

  it('is nothing where nothing is for a key at hand, or only sealing keys are asked for and nothing is sealed', async () => {
    expect((await errorOf(() => intentOf(alone, [kim], [], AGE, ALL))).code).toBe('SOTTO-ROTATE-001');
    const sealing = { keys: 'sealing', old: undefined } as const;
    expect((await errorOf(() => intentOf(alone, [old], [], sealing, ALL))).code).toBe('SOTTO-ROTATE-011');
  });
});
