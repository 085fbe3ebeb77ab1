import { beforeAll, expect, it } from 'vitest';
import { LIMITS } from '../../src/core/limits.ts';
import { decryptFile } from '../../src/sops/change.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { parseSopsFile } from '../../src/sops/file.ts';
import { SopsWhole } from '../../src/sops/whole.ts';
import { type KeyPair, newKeyPair, refusal } from './fixtures.ts';

let pair: KeyPair;
beforeAll(async () => {
  pair = await newKeyPair();
});

const sealed = (text: string): Promise<string> =>
  encryptFile(Buffer.from(text), {
    format: 'json',
    file: 'f.json',
    recipients: [pair.recipient],
    selector: { kind: 'encrypted_regex', value: '^a$' },
    now: new Date(),
  });

const listOf = (nodes: number): string => `{"a": "x", "l": [${Array(nodes).fill('1').join(',')}]}\n`;

it('a file of a person may have more values than one that the agent reads', async () => {
  const clear = listOf(LIMITS.maxNodesPerDocument);
  const text = await sealed(clear);
  using opened = await decryptFile(text, 'json', 'f.json', pair.identities);
  expect(Buffer.from(opened.reveal()).toString()).toBe(clear);
  expect((await refusal(() => parseSopsFile(text, 'json', 'f.json'))).code).toMatch(/^SOTTO-YAML-/);
  expect((await refusal(() => new SopsWhole(text, 'json', 'f.json'))).code).toMatch(/^SOTTO-YAML-/);
});

it('a file of a person has a bound as well', async () => {
  const huge = listOf(LIMITS.maxLocalNodesPerDocument);
  expect((await refusal(() => sealed(huge))).code).toMatch(/^SOTTO-YAML-/);
});
