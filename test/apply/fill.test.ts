import { assert, asyncProperty, dictionary, stringMatching, uint8Array } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BodyBuffer, isBase64Text } from '../../src/apply/body.ts';
import { fillBody } from '../../src/apply/fill.ts';
import { type ClosedObject, SecretRef } from '../../src/core/closed.ts';
import { Sensitive } from '../../src/core/sensitive.ts';

const SOURCE = { format: 'sops', file: 'db.yaml' } as const;

function closed(values: Readonly<Record<string, Uint8Array>>) {
  const refs = new Map<SecretRef, Uint8Array>();
  const data: Record<string, SecretRef> = {};
  for (const [key, value] of Object.entries(values)) {
    const ref = new SecretRef(SOURCE, { text: 'ENC' }, 'value', 1);
    refs.set(ref, value);
    data[key] = ref;
  }
  const tree: ClosedObject = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db', labels: { a: '"x"' } }, data };
  const opener = { open: (ref: SecretRef) => Promise.resolve(Sensitive.copyOf(refs.get(ref) ?? new Uint8Array())) };
  return { tree, opener };
}

describe('a filled body', () => {
  it('is the object with every value as base64, for values of every size', async () => {
    const values = dictionary(stringMatching(/^[a-z][a-z0-9._-]{0,12}$/), uint8Array({ maxLength: 200 }), {
      maxKeys: 6,
    });
    await assert(
      asyncProperty(values, async (entries) => {
        const { tree, opener } = closed(entries);
        const body = await fillBody(tree, opener, new BodyBuffer());
        const wanted = Object.fromEntries(
          Object.entries(entries).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
        );
        expect(JSON.parse(Buffer.from(body).toString())).toEqual({ ...tree, data: wanted });
      }),
    );
  });

  it('leaves nothing in its lane once that is wiped', async () => {
    const { tree, opener } = closed({ password: Buffer.from('correct horse battery') });
    const lane = new BodyBuffer();
    const body = await fillBody(tree, opener, lane);
    lane.wipe();
    expect(Buffer.from(body).every((byte) => byte === 0)).toBe(true);
  });

  it('takes base64 text as Go reads it and nothing else', () => {
    const texts = ['', 'aGk=', 'aGk', 'a===', 'aG\nk=', 'a b=', 'aGk=a'];
    expect(texts.filter((text) => isBase64Text(Buffer.from(text)))).toEqual(['', 'aGk=', 'aG\nk=']);
  });
});
