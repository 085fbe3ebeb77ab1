import { createSecretKey } from 'node:crypto';
import { assert, asyncProperty, dictionary, stringMatching, uint8Array } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { valuesDigest } from '../../src/agent/value-digest.ts';
import { SecretRef } from '../../src/core/closed.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import type { DesiredObject } from '../../src/render/desired.ts';
import { wanted } from './fixture.ts';

const KEY = { keyObject: createSecretKey(Buffer.alloc(32, 7)) };
const OTHER_KEY = { keyObject: createSecretKey(Buffer.alloc(32, 8)) };

/** A Secret as Git has it, and who opens it; `cipher` stands for one encryption of the same values. */
function secret(values: Readonly<Record<string, Uint8Array>>, cipher = 'c1') {
  const opened = new Map<SecretRef, Uint8Array>();
  const data = Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      const ref = new SecretRef({ format: 'sops', file: 'db.yaml' }, { text: `ENC[${cipher}]` }, 'value', 1);
      opened.set(ref, value);
      return [name, ref];
    }),
  );
  const object: DesiredObject = { ...wanted('Secret', 'db'), tree: { metadata: { name: 'db' }, data } };
  const opener = { open: (ref: SecretRef) => Promise.resolve(Sensitive.copyOf(opened.get(ref) ?? new Uint8Array())) };
  return { object, opener };
}

const digestOf = ({ object, opener }: ReturnType<typeof secret>, key = KEY) => valuesDigest([object], opener, key);

function map(labels: string, text: string): DesiredObject {
  const tree = { metadata: { name: 'app', labels: { l: labels } }, data: { text } };
  return { ...wanted('ConfigMap', 'app'), tree };
}

describe('the digest of values', () => {
  const entries = dictionary(stringMatching(/^[a-z]{1,6}$/), uint8Array({ maxLength: 40 }), { minKeys: 1, maxKeys: 4 });

  it('is the same for another encryption and order of the same values, and another one for a changed value', async () => {
    await assert(
      asyncProperty(entries, async (values) => {
        const before = await digestOf(secret(values));
        const turned = Object.fromEntries(Object.entries(values).toReversed());
        expect(await digestOf(secret(turned, 'c2'))).toBe(before);
        for (const [name, value] of Object.entries(values)) {
          expect(await digestOf(secret({ ...values, [name]: Buffer.concat([value, Buffer.from('x')]) }))).not.toBe(
            before,
          );
        }
      }),
      { numRuns: 50 },
    );
  });

  it('tells values apart that change places, and needs the key', async () => {
    const [a, b] = [Buffer.from('one'), Buffer.from('two')];
    expect(await digestOf(secret({ a, b }))).not.toBe(await digestOf(secret({ a: b, b: a })));
    expect(await digestOf(secret({ a }))).not.toBe(await digestOf(secret({ a }), OTHER_KEY));
  });

  it('hangs on the entries of a ConfigMap and not on its labels', async () => {
    const { opener } = secret({});
    const digest = (object: DesiredObject) => valuesDigest([object], opener, KEY);
    expect(await digest(map('1', 'a'))).toBe(await digest(map('2', 'a')));
    expect(await digest(map('1', 'a'))).not.toBe(await digest(map('1', 'b')));
  });
});
