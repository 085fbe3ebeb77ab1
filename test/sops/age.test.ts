import { armor, Decrypter, Encrypter } from 'age-encryption';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SottoError } from '../../src/core/errors.ts';
import { parseAgeIdentities } from '../../src/sops/age.ts';
import { openAgeFile, parseAgeFile } from '../../src/sops/age-file.ts';
import { checkRecipients } from '../../src/sops/recipients.ts';
import { newKeyPair, refusal } from './fixtures.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function ageFile(recipients: readonly string[], payload: Uint8Array): Promise<string> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return armor.encode(await encrypter.encrypt(payload));
}

describe('a key file', () => {
  it('may hold several identities, comments, blanks and carriage returns', async () => {
    const [one, two] = [await newKeyPair(), await newKeyPair()];
    const file = `# created: today\r\n# public key: ${one.recipient}\r\n${one.identity}\r\n\n${two.identity}  `;
    expect(parseAgeIdentities(bytes(file)).map(({ recipient }) => recipient)).toEqual([one.recipient, two.recipient]);
  });

  it('with a broken line is refused with the line, and without its text', async () => {
    const { identity } = await newKeyPair();
    for (const broken of [
      identity.toLowerCase(),
      identity.slice(0, -1),
      `${identity.slice(0, -1)}${identity.endsWith('Q') ? 'P' : 'Q'}`,
      ` ${identity}`,
      'hunter2',
    ]) {
      try {
        parseAgeIdentities(bytes(`# c\n${broken}\n`), { file: 'keys.txt' });
        expect.unreachable();
      } catch (thrown) {
        const error = thrown as SottoError;
        expect(error).toMatchObject({ code: 'SOTTO-AGE-002', place: { file: 'keys.txt', line: 2 } });
        expect(error.text().toLowerCase()).not.toContain(broken.trim().slice(-7).toLowerCase());
      }
    }
  });

  it('with identities of other kinds is refused, or tells of them and gives the rest', async () => {
    const { identity, recipient } = await newKeyPair();
    const file = bytes(`AGE-PLUGIN-TPM-1XXX\n${identity}\nAGE-PLUGIN-YUBIKEY-1XXX\n`);
    expect(await refusal(() => parseAgeIdentities(file))).toEqual({ code: 'SOTTO-AGE-003', line: 1 });
    const told: (number | undefined)[] = [];
    const held = parseAgeIdentities(file, { onOther: (error) => told.push(error.place.line) });
    expect(held.map((one) => one.recipient)).toEqual([recipient]);
    expect(told).toEqual([1, 3]);
  });

  it.each([
    ['', 'SOTTO-AGE-004'],
    ['# nothing\n\n', 'SOTTO-AGE-004'],
    ['-----BEGIN AGE ENCRYPTED FILE-----\nabc\n', 'SOTTO-AGE-003'],
    ['-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n', 'SOTTO-AGE-010'],
  ])('%j is refused', async (text, code) => {
    expect((await refusal(() => parseAgeIdentities(bytes(text)))).code).toBe(code);
  });

  it('of any bytes gives identities or a SottoError', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (file) => {
        expect((await refusal(() => parseAgeIdentities(file))).code).toMatch(/^(none|SOTTO-AGE-00\d)$/);
      }),
    );
  });
});

describe('an age file', () => {
  const payload = bytes('0123456789abcdef0123456789abcdef');

  it('of age-encryption opens, ours among other stanzas too', async () => {
    const [other, ours] = [await newKeyPair(), await newKeyPair()];
    for (const recipients of [[ours.recipient], [other.recipient, ours.recipient]]) {
      const file = parseAgeFile(await ageFile(recipients, payload));
      expect(file && openAgeFile(file, ours.identities)).toEqual({ outcome: 'opened', payload });
    }
  });

  it('opens with our identity in age-encryption', async () => {
    const { recipient, identities } = await newKeyPair();
    const decrypter = new Decrypter();
    for (const identity of identities) decrypter.addIdentity(identity);
    expect(await decrypter.decrypt(armor.decode(await ageFile([recipient], payload)))).toEqual(payload);
  });

  it('for somebody else is not for us', async () => {
    const [other, ours] = [await newKeyPair(), await newKeyPair()];
    const file = parseAgeFile(await ageFile([other.recipient], payload));
    expect(file && openAgeFile(file, ours.identities).outcome).toBe('not-for-us');
  });

  it('with any byte changed does not open', async () => {
    const { recipient, identities } = await newKeyPair();
    const good = armor.decode(await ageFile([recipient], payload));
    for (let at = 0; at < good.length; at += 1) {
      const bad = good.slice();
      bad[at] = (bad[at] ?? 0) ^ 1;
      const file = parseAgeFile(armor.encode(bad));
      if (file !== undefined) expect(openAgeFile(file, identities).outcome).not.toBe('opened');
    }
  });

  it('of any text is read or refused, and nothing else', () => {
    const line = fc.constantFrom(
      '-----BEGIN AGE ENCRYPTED FILE-----',
      '-----END AGE ENCRYPTED FILE-----',
      'AAAA',
      '',
      '=',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string())), (lines) => {
        parseAgeFile(lines.join('\n'));
      }),
    );
  });
});

describe('a recipient', () => {
  it('is an X25519 one; doubles count once', async () => {
    const { recipient } = await newKeyPair();
    expect(checkRecipients([recipient, ` ${recipient}`])).toEqual([recipient]);
  });

  it.each([
    [[], 'SOTTO-AGE-009'],
    [['age1abc'], 'SOTTO-AGE-007'],
    [['ssh-ed25519 AAAA'], 'SOTTO-AGE-007'],
    [['age1pq1abc'], 'SOTTO-AGE-007'],
    [['age1yubikey1abc'], 'SOTTO-AGE-008'],
    [['AGE-SECRET-KEY-1QQQ'], 'SOTTO-AGE-007'],
  ])('%j is refused', async (recipients, code) => {
    expect((await refusal(() => checkRecipients(recipients))).code).toBe(code);
  });
});
