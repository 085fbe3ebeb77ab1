import { expect, it } from 'vitest';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { rekey } from '../../src/sops/rekey.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';
import { errorOf } from '../sealed/material.ts';

const { identity, keyFile } = makeIdentity(new Date());
keyFile.wipe();

const CLEAR: Readonly<Record<WholeFormat, string>> = {
  yaml: 'a: b\nc_unencrypted: d\n',
  json: '{"a": "b", "c_unencrypted": "d"}\n',
  dotenv: 'a=b\nc_unencrypted=d\n',
  ini: '[s]\na = b\nc_unencrypted = d\n',
  binary: 'a\n',
};

/** The first letter of the MAC is another one. */
const damaged = (text: string): string =>
  text.replace(/(mac["']?\s*[:=]\s*["']?ENC\[AES256_GCM,data:)(.)/, (_, head: string, letter: string) => {
    return `${head}${letter === 'A' ? 'B' : 'A'}`;
  });
/** What stands in clear is under the MAC alone. */
const changed = (text: string): string => text.replace(/(?<=c_unencrypted["']?\s*[:=]\s*["']?)d/, 'x');

it.each(
  Object.keys(CLEAR).flatMap((format) =>
    (['new-data-key', 'same-data-key'] as const).map((mode) => [format as WholeFormat, mode] as const),
  ),
)('a file of format %s that was changed without its key gets no other keys, with a %s', async (format, mode) => {
  const wanted = {
    groups: [[{ name: identity.recipient, recipient: { kind: 'age' as const, recipient: identity.recipient } }]],
    threshold: 1,
  };
  const options = { format, file: 'a', recipients: [identity.recipient], now: new Date() };
  const text = await encryptFile(Buffer.from(CLEAR[format]), options);
  const anew = (of: string) => rekey({ text: of, format, file: 'a' }, [identity], wanted, mode, new Date());
  await anew(text);
  for (const change of format === 'binary' ? [damaged] : [damaged, changed]) {
    const other = change(text);
    expect(other).not.toBe(text);
    expect((await errorOf(() => anew(other))).code).toMatch(/^SOTTO-SOPS-/);
  }
});
