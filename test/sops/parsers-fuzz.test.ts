import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { parseAgeIdentities } from '../../src/sops/age.ts';
import { decryptFile } from '../../src/sops/change.ts';
import { creationRule } from '../../src/sops/creation-rule.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';
import { SopsWhole } from '../../src/sops/whole.ts';
import { encrypted, type KeyPair, newKeyPair } from './fixtures.ts';

let pair: KeyPair;
let sealed: string;
beforeAll(async () => {
  pair = await newKeyPair();
  sealed = await encrypted('a: x\nb: [1, {c: y}]\n', pair.recipient);
});

async function coded(attempt: () => unknown): Promise<void> {
  try {
    await attempt();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(SottoError);
  }
}

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
const FORMATS: readonly WholeFormat[] = ['yaml', 'json', 'dotenv', 'binary'];

describe('any input ends in a value or a code', () => {
  it.each(FORMATS)('as a file in clear or an encrypted one: %s', async (format) => {
    await fc.assert(
      fc.asyncProperty(TEXT, async (text) => {
        await coded(() => new SopsWhole(text, format, 'f'));
        await coded(() => decryptFile(text, format, 'f', pair.identities));
        const options = { format, file: 'f', recipients: [pair.recipient], now: new Date() };
        await coded(() => encryptFile(Buffer.from(text), options));
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
        await coded(() => decryptFile(lines.with(index, line).join('\n'), 'yaml', 'f', pair.identities));
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
        await coded(() => decryptFile(damaged, 'yaml', 'f', pair.identities));
      }),
      { numRuns: 300 },
    );
  });

  it('as an identity file', async () => {
    const piece = fc.oneof(PIECE, fc.constantFrom(pair.identity, 'AGE-SECRET-KEY-1', 'AGE-PLUGIN-X', '-----BEGIN '));
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 6 }), async (pieces) => {
        await coded(() => parseAgeIdentities(Buffer.from(pieces.join(''))));
      }),
      { numRuns: 300 },
    );
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
        await coded(() => creationRule(pieces.join(''), 'a.yaml'));
      }),
      { numRuns: 500 },
    );
  });
});
