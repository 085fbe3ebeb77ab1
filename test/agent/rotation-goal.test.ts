import { beforeAll, describe, expect, it } from 'vitest';
import type { RecipientSettings } from '../../src/agent/rotation/allowed.ts';
import { planText } from '../../src/agent/rotation/answers.ts';
import { keysGivingWay } from '../../src/agent/rotation/follow-exposed.ts';
import { type AgentKeys, intentOf, type Intent, withKey } from '../../src/agent/rotation/goal.ts';
import { checkPaths } from '../../src/agent/rotation/read-repository.ts';
import { documentsOf, type EncryptedDocuments } from '../../src/authoring/rotation/documents.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { isCommitId, parseTree, type TreeEntry } from '../../src/git/output.ts';
import { fingerprintKey } from '../../src/keys/fingerprint.ts';
import { madeHereMark } from '../../src/keys/made-here.ts';
import type { ParsedKeySecret } from '../../src/keys/parse-keys.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { errorOf, vectorKey } from '../sealed/material.ts';

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

const HEAD = 'a'.repeat(40);
if (!isCommitId(HEAD)) throw new Error('it is one');

const FINGERPRINT = fingerprintKey(Sensitive.adopt(new Uint8Array(32).fill(7)));

function held(
  identities: AgentKeys['identities'],
  secrets: AgentKeys['secrets'] = [],
  sealing?: AgentKeys['sealing'],
): AgentKeys {
  return { identities, secrets, sealing, inUse: sealing, fingerprint: FINGERPRINT };
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
    const one = intentOf(alone, held([old], []), AGE, ALL);
    const two = intentOf(together, held([old], []), AGE, ALL);
    expect([one.others, two.others]).toEqual([[], [kim.recipient]]);
    expect(one.id).toMatch(/^[0-9a-f]{16}$/);
    expect(two.id).not.toBe(one.id);
    const other = intentOf(together, held([old, kim], []), { keys: 'age', old: kim.recipient }, ALL);
    expect(other.id).not.toBe(two.id);
    expect((await errorOf(() => intentOf(together, held([old, kim], []), AGE, ALL))).code).toBe('SOTTO-ROTATE-001');
  });

  it('takes the key that is there, under another id: nobody has said yes to it', () => {
    const before = intentOf(alone, held([old]), AGE, ALL);
    const after = intentOf(alone, held([old, made], [pending]), AGE, ALL);
    expect(after).toMatchObject({ goal: { age: { old: old.recipient, made: made.recipient } } });
    expect(after.idsBefore).toEqual([after.id]);
    expect(after.id).not.toBe(before.id);
    expect(after.pending?.secret.mark.name).toBe('made');
    expect(planned(withKey(before, alone, made.recipient))).toEqual(planned(after));
  });

  it('goes on under the id of before with the key that the agent has made for it, and with no other', () => {
    const before = intentOf(alone, held([old]), AGE, ALL);
    const ours = {
      ...pending.mark.annotations,
      'sotto.dev/made': madeHereMark(FINGERPRINT, old.recipient, made.recipient),
    };
    const after = intentOf(alone, held([old, made], [keySecret('made', made, ours)]), AGE, ALL);
    expect(after.idsBefore).toContain(before.id);
    for (const proof of [
      madeHereMark(FINGERPRINT, old.recipient, kim.recipient),
      madeHereMark(FINGERPRINT, kim.recipient, made.recipient),
      madeHereMark(fingerprintKey(Sensitive.adopt(new Uint8Array(32).fill(8))), old.recipient, made.recipient),
      '',
    ]) {
      const planted = keySecret('made', made, { ...ours, 'sotto.dev/made': proof });
      expect(intentOf(alone, held([old, made], [planted]), AGE, ALL).idsBefore).not.toContain(before.id);
    }
  });

  it('replaces no key but an age key of the agent, and never one of the last resort', async () => {
    const wanted = { keys: 'age', old: kim.recipient } as const;
    expect((await errorOf(() => intentOf(together, held([old]), wanted, ALL))).code).toBe('SOTTO-ROTATE-122');
    const recovery = settings([old.recipient], [kim.recipient]);
    const error = await errorOf(() => intentOf(together, held([old, kim]), wanted, recovery));
    expect(error.code).toBe('SOTTO-ROTATE-122');
    expect(error.text()).toContain('sealing.recovery');
    expect(intentOf(together, held([old, kim]), wanted, ALL).goal.age?.old).toBe(kim.recipient);
  });

  it('names everybody and every key that is taken in its text, or has none', async () => {
    const names = Array.from({ length: 20 }, () => makeIdentity(NOW).identity.recipient);
    const shown = async (others: readonly string[]): Promise<string> => {
      const documents = await repository([old.recipient, ...others], [old.recipient, ...others]);
      const intent = intentOf(documents, held([old, made], [pending]), AGE, settings(others));
      return planText(intent, documents, HEAD);
    };
    const text = await shown(names.slice(0, 8));
    for (const name of names.slice(0, 8)) expect(text).toContain(name);
    expect(text).toContain(`gives way to ${made.recipient}, which is there already in Secret made`);
    expect(text.length).toBeLessThanOrEqual(1000);
    expect((await errorOf(() => shown(names))).code).toBe('SOTTO-ROTATE-121');
  });

  it('is another one with another sealing key, which it names with its Secret', () => {
    const key = vectorKey();
    const sealing = { secret: 'planted', key };
    const documents = { ...alone, sealed: [{ path: 'db.yaml', text: '' }] };
    const wanted = { keys: 'sealing', old: undefined } as const;
    const [none, one] = [undefined, sealing].map((each) => intentOf(documents, held([], [], each), wanted, ALL));
    expect(one?.id).not.toBe(none?.id);
    expect(none && planText(none, documents, HEAD)).toContain('get a new sealing key');
    expect(one && planText(one, documents, HEAD)).toContain(
      `${key.fingerprint}, which is there already in Secret planted`,
    );
    expect(one && keysGivingWay(one, [{ sealingKey: key }])).toEqual([]);
    expect(none && keysGivingWay(none, [{ sealingKey: key }])).toEqual([key.fingerprint]);
    // Marked when it gave way to one that the agent was about to make, and by nobody else.
    const gone = { secret: 'before', key: { ...key, fingerprint: 'f'.repeat(64) } };
    const shown = intentOf(documents, { ...held([]), inUse: gone }, wanted, ALL);
    const marked = (mark: string): ParsedKeySecret => ({
      ...keySecret('before', made, { 'sotto.dev/made': mark }),
      sealingKey: gone.key,
    });
    const after = (mark: string): Intent => intentOf(documents, held([], [marked(mark)], sealing), wanted, ALL);
    expect(after(madeHereMark(FINGERPRINT, 'sealing', gone.key.fingerprint)).idsBefore).toContain(shown.id);
    expect(after(madeHereMark(FINGERPRINT, 'sealing', key.fingerprint)).idsBefore).not.toContain(shown.id);
    const age = intentOf(alone, held([old]), AGE, ALL);
    expect(keysGivingWay(age, [{ sealingKey: key }])).toEqual([old.recipient]);
  });

  it('takes no key that sotto has not made, that replaces another, or that only opens', () => {
    const marks = pending.mark.annotations;
    for (const annotations of [
      { ...marks, 'sotto.dev/origin': 'somebody' },
      { ...marks, 'sotto.dev/replaces': kim.recipient },
      { ...marks, 'sotto.dev/state': 'decrypt-only' },
    ])
      expect(
        intentOf(alone, held([old, made], [keySecret('made', made, annotations)]), AGE, ALL).pending,
      ).toBeUndefined();
  });

  it('lets nobody in whom a rule names and a file does not have', async () => {
    const wider = await repository([old.recipient], [old.recipient, kim.recipient]);
    const error = await errorOf(() => intentOf(wider, held([old], []), AGE, ALL));
    expect(error.code).toBe('SOTTO-ROTATE-028');
    expect(error.text()).toContain('(a.env)');
  });

  it('is only for those whom the settings name, and for whom recovery copies are', async () => {
    const refused = await errorOf(() => intentOf(together, held([old], []), AGE, settings()));
    expect(refused.code).toBe('SOTTO-ROTATE-120');
    expect(refused.text()).toContain(`recipients: [ "${kim.recipient}" ]`);
    const other = await errorOf(() => intentOf(together, held([old], []), AGE, settings([made.recipient])));
    expect(other.text()).toContain(`recipients: [ "${made.recipient}", "${kim.recipient}" ]`);
    expect(intentOf(together, held([old], []), AGE, settings([kim.recipient])).others).toEqual([kim.recipient]);
    expect(intentOf(together, held([old], []), AGE, settings([], [kim.recipient])).others).toEqual([kim.recipient]);
    expect(intentOf(alone, held([old], []), AGE, settings()).others).toEqual([]);
  });

  it('names as many as there are room for, and the command that lists them all', async () => {
    const many = Array.from({ length: 20 }, () => makeIdentity(NOW).identity.recipient);
    const documents = await repository([old.recipient, ...many], [old.recipient, ...many]);
    const text = (await errorOf(() => intentOf(documents, held([old], []), AGE, settings()))).text();
    expect(text).toContain('and 19 more');
    expect(text).toContain('sotto recipients list');
    expect(text.length).toBeLessThan(1000);
  });

  it('is nothing where nothing is for a key at hand, or only sealing keys are asked for and nothing is sealed', async () => {
    expect((await errorOf(() => intentOf(alone, held([kim], []), AGE, ALL))).code).toBe('SOTTO-ROTATE-001');
    const sealing = { keys: 'sealing', old: undefined } as const;
    expect((await errorOf(() => intentOf(alone, held([old], []), sealing, ALL))).code).toBe('SOTTO-ROTATE-011');
  });
});

function entriesOf(...lines: readonly string[]): TreeEntry[] {
  return parseTree(lines.map((line) => line.replace(' ', ` blob ${'b'.repeat(40)}\t`)).join('\0')) ?? [];
}

describe('a repository for which no commit could be made', () => {
  it.for([
    ['a path that is no UTF-8', '100644 a\uFFFD.env'],
    ['a link where the folder of the receipt goes', '120000 .sotto'],
    ['a file where the folder of the receipt goes', '100644 .sotto'],
    ['a submodule where the receipt goes', '160000 .sotto/rotation.json'],
  ] as const)('has %s', async ([, line]) => {
    const entries = entriesOf(line);
    expect(entries).toHaveLength(1);
    expect((await errorOf(() => checkPaths(entries, entries))).code).toBe('SOTTO-ROTATE-123');
  });

  it('is no other: a receipt of before, and paths that nothing is written to, may be as they are', () => {
    const entries = entriesOf('040000 .sotto', '100644 .sotto/rotation.json', '100644 x\uFFFD.png');
    expect(entries).toHaveLength(3);
    expect(() => checkPaths(entries, entries.slice(0, 2))).not.toThrow();
  });
});
