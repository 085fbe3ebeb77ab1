import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseAgeIdentities } from '../../src/sops/age.ts';
import { decryptFile } from '../../src/sops/change.ts';
import { creationRule } from '../../src/sops/creation-rule.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';
import { parseLockedSshKey } from '../../src/sops/ssh-locked.ts';
import { sshField } from '../../src/sops/ssh-wire.ts';
import { SopsWhole } from '../../src/sops/whole.ts';
import { encrypted, type KeyPair, newKeyPair, valueOrCode } from './fixtures.ts';

let pair: KeyPair;
let sealed: string;
beforeAll(async () => {
  pair = await newKeyPair();
  sealed = await encrypted('a: x\nb: [1, {c: y}]\n', pair.recipient);
});

const PIECE = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 4 }),
  fc.constantFrom('\n', ': ', '- ', '"', '{', '}', '[', ']', '#', '&a ', '*a', '|', '!!int ', '<<: ', '---\n', '\r\n'),
  fc.constantFrom(
    'sops',
    'sops:\n  ',
    'age:',
    'ENC[AES256_GCM,data:',
    ',iv:',
    ',tag:',
    ',type:str]',
    '\ufeff',
    '\u2028',
  ),
  fc.constantFrom('sops_mac=', 'sops_age__list_0__map_enc=', '__map_', '__list_', 'A=', '=', 'version: 3.13.3\n'),
);
const TEXT = fc.array(PIECE, { maxLength: 12 }).map((pieces) => pieces.join(''));
const FORMATS: readonly WholeFormat[] = ['yaml', 'json', 'dotenv', 'ini', 'binary'];

describe('any input ends in a value or a code', () => {
  it.each(FORMATS)('as a file in clear or an encrypted one: %s', async (format) => {
    await fc.assert(
      fc.asyncProperty(TEXT, async (text) => {
        await valueOrCode(() => new SopsWhole(text, format, 'f'));
        await valueOrCode(() => decryptFile(text, format, 'f', pair.identities));
        const options = { format, file: 'f', recipients: [pair.recipient], now: new Date() };
        await valueOrCode(() => encryptFile(Buffer.from(text), options));
      }),
      { numRuns: 300 },
    );
  });

  it('as a sops block, whatever its fields hold', async () => {
    const lines = sealed.split('\n');
    const from = lines.indexOf('sops:') + 1;
    await fc.assert(
      fc.asyncProperty(fc.nat(), TEXT, fc.boolean(), async (at, text, replaces) => {
        const index = from + (at % (lines.length - from));
        const line = replaces ? text : `${lines[index]?.replace(/:.*/, '')}: ${text}`;
        await valueOrCode(() => decryptFile(lines.with(index, line).join('\n'), 'yaml', 'f', pair.identities));
      }),
      { numRuns: 300 },
    );
  });

  it('as the wrapped key of an age entry, damaged anywhere', async () => {
    const start = sealed.indexOf('-----BEGIN');
    const end = sealed.indexOf('-----END');
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: start, max: end }), fc.nat(40), PIECE, async (at, length, piece) => {
        const damaged = sealed.slice(0, at) + piece + sealed.slice(at + length);
        await valueOrCode(() => decryptFile(damaged, 'yaml', 'f', pair.identities));
      }),
      { numRuns: 300 },
    );
  });

  it('as an identity file', async () => {
    const piece = fc.oneof(PIECE, fc.constantFrom(pair.identity, 'AGE-SECRET-KEY-1', 'AGE-PLUGIN-X', '-----BEGIN '));
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 6 }), async (pieces) => {
        await valueOrCode(() => parseAgeIdentities(Buffer.from(pieces.join(''))));
      }),
      { numRuns: 300 },
    );
  });

  it('as an SSH key behind a passphrase, damaged anywhere', async () => {
    const publicBlob = Buffer.concat([sshText('ssh-ed25519'), sshField(Buffer.alloc(32, 7))]);
    const options = Buffer.concat([sshText('sixteen bytes 16'), Buffer.of(0, 0, 0, 1)]);
    const blob = Buffer.concat([
      Buffer.from('openssh-key-v1\0'),
      sshText('aes256-ctr'),
      sshText('bcrypt'),
      sshField(options),
      Buffer.of(0, 0, 0, 1),
      sshField(publicBlob),
      sshField(Buffer.alloc(160, 9)),
    ]);
    expect(parseLockedSshKey(openSsh(blob))?.recipient).toMatch(/^ssh-ed25519 AAAA/);
    await fc.assert(
      fc.asyncProperty(fc.nat(blob.length), fc.nat(8), fc.uint8Array({ maxLength: 8 }), async (at, length, piece) => {
        const damaged = openSsh(Buffer.concat([blob.subarray(0, at), piece, blob.subarray(at + length)]));
        await valueOrCode(() => parseAgeIdentities(damaged));
        const key = parseLockedSshKey(damaged);
        // The work that a file may ask for is bounded; here only the little it asks for is done.
        const isShort = damaged.equals(openSsh(blob)) || at > blob.indexOf('bcrypt') + 34;
        if (key !== undefined && isShort) expect(key.unlock(Buffer.from('wrong'))).toBeUndefined();
      }),
      { numRuns: 60 },
    );
    const costly = Buffer.from(blob);
    costly.writeUInt32BE(0x7fffffff, blob.indexOf('sixteen bytes 16') + 16);
    expect(parseLockedSshKey(openSsh(costly))).toBeUndefined();
  });

  it('as a .sops.yaml', async () => {
    const piece = fc.oneof(
      PIECE,
      fc.constantFrom(
        'creation_rules:\n',
        '  - age: ',
        pair.recipient,
        '    path_regex: ',
        '    encrypted_regex: ',
        'key_groups: ',
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 10 }), async (pieces) => {
        await valueOrCode(() => creationRule(pieces.join(''), 'a.yaml'));
      }),
      { numRuns: 500 },
    );
  });
});

function sshText(text: string): Buffer {
  return sshField(Buffer.from(text));
}

function openSsh(bytes: Buffer): Buffer {
  const base64 = bytes.toString('base64');
  return Buffer.from(`-----BEGIN OPENSSH PRIVATE KEY-----\n${base64}\n-----END OPENSSH PRIVATE KEY-----\n`);
}
