import * as fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { rekey, type RekeyMode } from '../../src/sops/rekey.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';

type Identity = ReturnType<typeof makeIdentity>['identity'];

/** Formats in which sops reads a carriage return before a line feed as part of the line end. */
const CLEAR: Readonly<Record<Exclude<WholeFormat, 'dotenv'>, (value: string) => string>> = {
  yaml: (value) => `# top\na: ${JSON.stringify(value)} # why\nb:\n- c\n`,
  json: (value) => `${JSON.stringify({ a: value, b: ['c'] }, undefined, 2)}\n`,
  ini: (value) => `; top\n[b]\na = ${value}\n`,
  binary: (value) => value,
};

let old: Identity;
let made: Identity;
beforeAll(() => {
  [old, made] = [makeIdentity(new Date()).identity, makeIdentity(new Date()).identity];
});

it('a file for other keys keeps its line ends, whether they have a carriage return or not', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('yaml', 'json', 'ini', 'binary'),
      fc.stringMatching(/^[a-z]{1,20}$/),
      fc.constantFrom<RekeyMode>('new-data-key', 'same-data-key'),
      fc.boolean(),
      async (format, value, mode, isCrlf) => {
        const options = { format, file: 'a', recipients: [old.recipient], now: new Date() };
        const sealed = await encryptFile(Buffer.from(CLEAR[format](value)), options);
        const text = isCrlf ? sealed.replaceAll('\n', '\r\n') : sealed;
        const wanted = {
          groups: [
            [old, made].map(({ recipient }) => ({ name: recipient, recipient: { kind: 'age' as const, recipient } })),
          ],
          threshold: 1,
        };
        const anew = await rekey({ text, format, file: 'a' }, [old, made], wanted, mode, new Date());
        expect(anew).toContain(made.recipient);
        const bare = anew.match(/(?<!\r)\n/g)?.length ?? 0;
        const whole = anew.match(/\r\n/g)?.length ?? 0;
        expect([bare > 0, whole > 0]).toEqual(isCrlf ? [false, true] : [true, false]);
      },
    ),
    { numRuns: 40 },
  );
});
