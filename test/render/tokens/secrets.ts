import * as fc from 'fast-check';
import { BodyBuffer } from '../../../src/apply/body.ts';
import { fillBody } from '../../../src/apply/fill.ts';
import { type ClosedObject, SecretRef } from '../../../src/core/closed.ts';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../../../src/core/json.ts';
import { Sensitive } from '../../../src/core/sensitive.ts';
import { type FingerprintKey, fingerprintKey } from '../../../src/keys/fingerprint.ts';
import type { ClosedDocument } from '../../../src/open/document.ts';
import { secretTree } from '../../../src/render/secret.ts';
import { closeRendered } from '../../../src/render/tokens/rendered.ts';
import { TokenTable } from '../../../src/render/tokens/table.ts';
import { makeToken, type Token } from '../../../src/render/tokens/token.ts';

/** Secrets of all the kinds that break something: text of every alphabet, words and numbers of YAML, bytes. */
export const SECRET: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => Buffer.from(text, 'utf8')),
  fc
    .string({
      unit: fc.constantFrom(...Array.from(`ab0 \t\n\r'":#-{}[],&*!|>%@\`\\?~=<$/é日😀`), '\u2028', '\ufeff'),
      maxLength: 24,
    })
    .map((text) => Buffer.from(text, 'utf8')),
  fc
    .constantFrom(
      '',
      '0123',
      '1e3',
      'true',
      'yes',
      'null',
      '~',
      '- x',
      'a: b',
      '2024-01-01',
      '<<',
      '---',
      ' x ',
      'a\nb\n',
    )
    .map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 64 }),
);

const SOURCE = { format: 'sops', file: 'db.yaml' } as const;

export function testKey(fill = 7): FingerprintKey {
  using bytes = Sensitive.copyOf(new Uint8Array(32).fill(fill));
  return fingerprintKey(bytes);
}

const KEY = testKey();

export function tokenOf(value: Uint8Array, key = 'x'): Token {
  using secret = Sensitive.copyOf(value);
  return makeToken(KEY, { role: 'leaf', object: '/Secret//db', path: ['stringData', key] }, secret);
}

/** Secrets under their tokens, and what opens them. */
export function issue(secrets: readonly Uint8Array[]) {
  const values = new Map<SecretRef, Uint8Array>();
  const entries = secrets.map((value, index) => {
    const ref = new SecretRef(SOURCE, { text: `ENC ${index}` }, 'value', index + 1);
    values.set(ref, value);
    const token = tokenOf(value, String(index));
    return { token, ref, role: 'leaf', file: SOURCE.file, line: index + 1, key: String(index) } as const;
  });
  const opener = { open: (ref: SecretRef) => Promise.resolve(Sensitive.copyOf(values.get(ref) ?? new Uint8Array())) };
  return { table: new TokenTable(entries), tokens: entries.map(({ token }) => token), opener };
}

export function secretOf(fields: { readonly data?: JsonObject; readonly stringData?: JsonObject }): JsonObject {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, ...fields };
}

/** The values of a Secret after it was closed and filled. Throws the refusal. */
export async function filledValues(
  tree: JsonObject,
  { table, opener }: Pick<ReturnType<typeof issue>, 'table' | 'opener'>,
): Promise<Record<string, Buffer>> {
  const { objects, refused } = closeRendered([tree], table);
  const [closed] = objects;
  if (closed === undefined) throw refused[0]?.error ?? new Error('nothing');
  const body = await fillBody(secretTree(closed.tree, documentOf(closed.tree), 'allow'), opener, new BodyBuffer());
  const { data } = parseJson(Buffer.from(body).toString()) as { readonly data?: Json };
  const entries = Object.entries(isJsonObject(data) ? data : {});
  return Object.fromEntries(
    entries.map(([key, value]) => [key, Buffer.from(typeof value === 'string' ? value : '', 'base64')]),
  );
}

export function documentOf(tree: ClosedObject): ClosedDocument {
  const digest = '' as ClosedDocument['digest'];
  return { file: 'f', line: 1, tree, encryption: 'sops', digest, lineAt: () => undefined };
}
