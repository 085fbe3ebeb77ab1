import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Json, memberAt, stringAt, stringifyJson } from '../../src/core/json.ts';
import { gitAccess } from '../../src/keys/credentials.ts';
import { FINGERPRINT_ENTRY, fingerprintKey } from '../../src/keys/fingerprint.ts';
import { parseKeySecret } from '../../src/keys/parse-keys.ts';
import { keyRing } from '../../src/keys/ring.ts';
import type { KeyRules } from '../../src/keys/select.ts';
import { parseSecret, type SecretContent } from '../../src/kube/secret-reader.ts';
import { readManifests } from '../../src/yaml/manifest.ts';

const FOLDER = join(import.meta.dirname, '../../keys.example');
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));
const NONE: KeyRules = { decryption: { secretNames: [] }, sealing: { secretNames: [] }, syncs: [] };

function manifest(file: string, folder = FOLDER): Json {
  return readManifests(readFileSync(join(folder, file), 'utf8'), file)[0]?.value ?? null;
}

/** As the agent reads it from the API server. */
function secretOf(file: string): SecretContent {
  return parseSecret(Buffer.from(stringifyJson(manifest(file))));
}

function ringOf(rules: Partial<KeyRules>, ...names: readonly string[]) {
  return keyRing(
    names.map((file) => parseKeySecret(secretOf(file))),
    { ...NONE, ...rules },
    new Date(),
  );
}

describe('the examples of key Secrets', () => {
  it('are read by the parser of the agent, without a complaint', () => {
    const named = ringOf({ decryption: { secretNames: ['sops-age'] } }, 'age.yaml');
    expect([named.ageIdentities.length, named.problems]).toEqual([1, []]);
    const labelled = ringOf({}, 'age-labelled.yaml');
    expect([labelled.ageIdentities.length, labelled.problems]).toEqual([2, []]);
    const stock = ringOf({}, 'sealing-stock.yaml');
    expect([stock.sealingKeys.length, stock.sealingCertificate, stock.problems]).toEqual([1, undefined, []]);
    const sealing = ringOf({ sealing: { secretNames: ['sealing-2026'] } }, 'sealing-named.yaml');
    expect([sealing.sealingKeys.length, sealing.problems]).toEqual([1, []]);
    expect(sealing.sealingCertificate).toBeDefined();
  });

  it.each([
    ['git-basic.yaml', 'basic'],
    ['git-bearer.yaml', 'bearer'],
    ['git-ca.yaml', 'none'],
  ])('%s is a credential for the URL written on it', (file, kind) => {
    const request = {
      use: 'git',
      sourceUrl: 'https://git.example.com/team/app.git',
      namespace: 'team-app',
      allowSources: [],
    } as const;
    const access = gitAccess(secretOf(file), request);
    expect(access.credential.kind).toBe(kind);
    expect(file === 'git-ca.yaml').toBe(access.caCertificate !== undefined);
  });

  it('show the backup of a fingerprint key that the agent takes', () => {
    const key = secretOf('fingerprint.yaml').entries.get(FINGERPRINT_ENTRY);
    expect(key === undefined ? undefined : fingerprintKey(key).keyObject.symmetricKeySize).toBe(32);
  });

  it('are all made anew by one command, with the same names, marks and entries', { timeout: 60_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'sotto-keys-'));
    try {
      execFileSync(process.execPath, [join(FOLDER, 'make.ts'), folder]);
      expect(readdirSync(folder).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
        files.toSorted((a, b) => (a < b ? -1 : 1)),
      );
      for (const file of files) expect(shapeOf(manifest(file, folder))).toEqual(shapeOf(manifest(file)));
      const values = (of: string): string => JSON.stringify(memberAt(manifest('age.yaml', of), 'data'));
      expect(values(folder)).not.toBe(values(FOLDER));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

function shapeOf(secret: Json): unknown {
  const entries = Object.keys(memberAt(secret, 'data') ?? {});
  return { metadata: memberAt(secret, 'metadata'), type: stringAt(secret, 'type'), entries };
}
