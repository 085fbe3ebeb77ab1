import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { arrayAt, type Json, type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import { sealingCertificate } from '../../src/sealed/certificate.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { readSecretManifests } from '../../src/sealed/plain-secret.ts';
import type { Scope } from '../../src/sealed/scope.ts';
import { sealSecret } from '../../src/sealed/seal.ts';
import { writeSealedSecret } from '../../src/sealed/write.ts';
import { stockOutput } from '../harness/stock.ts';
import type { World } from '../harness/world.ts';

/** Values by Secret and key: what must be live, and nowhere else. */
export type Expected = Map<string, Readonly<Record<string, string>>>;

export interface Fixture {
  readonly files: Record<string, string>;
  readonly expected: Expected;
}

const SCOPES: readonly Scope[] = ['strict', 'namespace-wide', 'cluster-wide'];
const SINGLE_FILES = 40;
export const DOCUMENTS_PER_FILE = 10;

/** How many values each Secret has: 1 to 5. */
export function valueCounts(secrets: number): readonly number[] {
  return Array.from({ length: secrets }, (_, index) => (index % 5) + 1);
}

/** Chunks of 15 bytes: mostly small ones, every twentieth value 45 KB. */
export function sizes(values: number): readonly number[] {
  return Array.from({ length: values }, (_, index) =>
    index % 20 === 19 ? 3_000 : ([1, 2, 4, 8, 40, 200][index % 6] ?? 1),
  );
}

export function named(prefix: string, counts: readonly number[], values: readonly string[]): Expected {
  let at = 0;
  return new Map(
    counts.map((count, index) => {
      const own = values.slice(at, (at += count));
      return [`${prefix}-${index}`, Object.fromEntries(own.map((value, key) => [`k${key}`, value]))];
    }),
  );
}

/** Every other value under `data`, so that both ways into a Secret are walked. */
export function secretOf(name: string, entries: Readonly<Record<string, string>>, more: JsonObject = {}): JsonObject {
  const [data, stringData]: [Record<string, string>, Record<string, string>] = [{}, {}];
  Object.entries(entries).forEach(([key, value], index) => {
    if (index % 2 === 1) data[key] = Buffer.from(value).toString('base64');
    else stringData[key] = value;
  });
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData, data, ...more };
}

/** By stock sops: the first forty Secrets in files of their own (JSON and YAML), the rest ten to a file. */
export async function sopsFiles(world: World, expected: Expected): Promise<Record<string, string>> {
  const secrets = [...expected].map(([name, entries]) => JSON.stringify(secretOf(name, entries)));
  const plain: [string, string][] = secrets.slice(0, SINGLE_FILES).map((text, index) => {
    const file = index % 2 === 0 ? 'json' : 'yaml';
    return [`deploy/one-${index}.${file}`, text];
  });
  for (let at = SINGLE_FILES; at < secrets.length; at += DOCUMENTS_PER_FILE) {
    plain.push([`deploy/many-${at}.yaml`, secrets.slice(at, at + DOCUMENTS_PER_FILE).join('\n---\n')]);
  }
  const files: Record<string, string> = {};
  for (const [path, text] of plain) files[path] = await world.sops(text, path);
  return files;
}

export interface Sealer {
  /** By kubeseal for even numbers, by sotto for odd ones; scopes in turn. */
  seal(index: number, name: string, entries: Readonly<Record<string, string>>): Promise<string>;
}

/** Puts a sealing key into the namespace, as the stock controller would. */
export async function sealerOf(world: World): Promise<Sealer> {
  const now = new Date();
  const made = await makeSealingCertificate({ now });
  const certificate = sealingCertificate(made.certificatePem, now);
  const certificateFile = join(world.folder, 'sealing.crt');
  await writeFile(certificateFile, made.certificatePem);
  await world.create(`/api/v1/namespaces/${world.namespace}/secrets`, {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name: 'sealing-key', labels: { 'sealedsecrets.bitnami.com/sealed-secrets-key': 'active' } },
    stringData: { 'tls.crt': made.certificatePem, 'tls.key': Buffer.from(made.keyPem.reveal()).toString() },
  });
  return {
    async seal(index, name, entries) {
      const scope = SCOPES[index % SCOPES.length] ?? 'strict';
      const manifest = JSON.stringify(secretOf(name, entries, { metadata: { name, namespace: world.namespace } }));
      if (index % 2 === 0) {
        const args = ['--cert', certificateFile, '--scope', scope, '-o', 'yaml'];
        return (await stockOutput('kubeseal', args, { stdin: manifest })).toString();
      }
      const [secret] = readSecretManifests(Buffer.from(manifest), `${name}.json`);
      if (secret === undefined) throw new Error('no Secret');
      return writeSealedSecret(sealSecret(secret, certificate, { scope }), 'json');
    },
  };
}

export async function sealedFiles(sealer: Sealer, expected: Expected): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  let index = 0;
  for (const [name, entries] of expected) {
    files[`deploy/${name}.yaml`] = await sealer.seal(index, name, entries);
    index += 1;
  }
  return files;
}

/** What is not live as expected, by name and key: nothing when all is well. */
export async function wrongValues(world: World, expected: Expected): Promise<readonly string[]> {
  const listed = await world.get(`/api/v1/namespaces/${world.namespace}/secrets`);
  const live = new Map(
    arrayAt(listed ?? null, 'items').map((item): [string, Json] => [stringAt(item, 'metadata', 'name') ?? '', item]),
  );
  return [...expected].flatMap(([name, entries]) => {
    const data = memberAt(live.get(name) ?? null, 'data') ?? null;
    const isSame = (key: string, value: string): boolean =>
      stringAt(data, key) === Buffer.from(value).toString('base64');
    const extra = Object.keys(data ?? {}).filter((key) => !Object.hasOwn(entries, key));
    return [...Object.keys(entries).filter((key) => !isSame(key, entries[key] ?? '')), ...extra].map(
      (key) => `${name} ${key}`,
    );
  });
}
