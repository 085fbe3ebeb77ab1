import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseAgeIdentities } from '../../src/sops/age.ts';
import { decryptSops } from '../../src/sops/decrypt.ts';
import type { Identity } from '../../src/sops/identity.ts';
import { refusal } from '../sops/fixtures.ts';
import { describeReal } from '../harness/real.ts';
import { type AgeKeyPair, newAgeKeyPair, stockOutput } from '../harness/stock.ts';

const CLEAR = 'password: hunter2\n';

async function opened(text: string, identities: readonly Identity[]): Promise<string> {
  using clear = await decryptSops(text, 'yaml', 'f.yaml', identities);
  return Buffer.from(clear.reveal()).toString();
}

describeReal('key groups', ['sops', 'age-keygen'], () => {
  let folder: string;
  let pairs: AgeKeyPair[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-groups-'));
    pairs = [await newAgeKeyPair(), await newAgeKeyPair(), await newAgeKeyPair()];
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const identitiesOf = (...indices: number[]) =>
    indices.flatMap((index) => parseAgeIdentities(Buffer.from(pairs[index]?.identity ?? '')));

  async function byStock(threshold: number): Promise<string> {
    const groups = pairs.map(({ recipient }) => `      - age: [${recipient}]`).join('\n');
    const rule = `creation_rules:\n  - shamir_threshold: ${threshold}\n    key_groups:\n${groups}\n`;
    writeFileSync(join(folder, '.sops.yaml'), rule);
    writeFileSync(join(folder, 'f.yaml'), CLEAR);
    return (await stockOutput('sops', ['encrypt', 'f.yaml'], { env: { HOME: folder }, cwd: folder })).toString();
  }

  it('of stock sops open with as many as the threshold wants, and with more', async () => {
    const text = await byStock(2);
    for (const held of [
      [0, 1],
      [0, 2],
      [2, 1],
      [0, 1, 2],
    ])
      expect(await opened(text, identitiesOf(...held))).toBe(CLEAR);
  });

  it('of which too few open are named with those they are for', async () => {
    const text = await byStock(2);
    const error = await decryptSops(text, 'yaml', 'f.yaml', identitiesOf(1)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SOTTO-SOPS-030', place: { file: 'f.yaml', key: 'sops.key_groups' } });
    for (const { recipient } of pairs) expect(String((error as { why: string }).why)).toContain(recipient);
  });

  it('all count when no threshold is set', async () => {
    const text = await byStock(0);
    expect(await opened(text, identitiesOf(0, 1, 2))).toBe(CLEAR);
    expect((await refusal(() => opened(text, identitiesOf(0, 1)))).code).toBe('SOTTO-SOPS-030');
  });

  it('survive a rotation by stock sops', async () => {
    writeFileSync(join(folder, 'f.yaml'), await byStock(2));
    const env = { HOME: folder, SOPS_AGE_KEY: `${pairs[0]?.identity} ${pairs[1]?.identity}` };
    await stockOutput('sops', ['rotate', '-i', 'f.yaml'], { env, cwd: folder });
    expect(await opened(readFileSync(join(folder, 'f.yaml'), 'utf8'), identitiesOf(1, 2))).toBe(CLEAR);
  });
});
