import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BodyBuffer } from '../../src/apply/body.ts';
import { fillBody } from '../../src/apply/fill.ts';
import type { ClosedObject } from '../../src/core/closed.ts';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../../src/core/json.ts';
import { type FingerprintKey, fingerprintKey, newFingerprintBytes } from '../../src/keys/fingerprint.ts';
import { Opener } from '../../src/open/opener.ts';
import { secretTree } from '../../src/render/secret.ts';
import type { UnsealKey } from '../../src/sealed/sealing-key.ts';
import { parseAgeIdentities } from '../../src/sops/age.ts';
import { readManifests } from '../../src/yaml/manifest.ts';
import { newAgeKeyPair, runStock, stockOutput } from '../harness/stock.ts';
import type { SealedFile } from '../render/tokens/corpus.ts';
import { documentOf } from '../render/tokens/secrets.ts';

// Plain text of secrets may not touch a disk, not even that of a test.
const MEMORY_FOLDER = '/dev/shm';
const DOCUMENT_ARGS = ['--encrypted-regex', '^(data|stringData)$'];

export type Files = Readonly<Record<string, string | Uint8Array>>;

/** A repository: what is in clear in it, and what is encrypted. */
export interface Closable {
  readonly plain?: Readonly<Record<string, string>>;
  readonly sealed: Readonly<Record<string, SealedFile>>;
}

export type Sealed = Readonly<Record<string, Buffer>>;

/** Stock sops and stock kustomize with a key of their own, on a memory volume. */
export interface Stock extends Disposable {
  readonly folder: string;
  readonly opener: Opener;
  seal(path: string, file: SealedFile): Promise<Buffer>;
  sealAll(each: Closable): Promise<Record<string, Buffer>>;
  /** What kustomize makes of the files as they are; undefined when it does not. */
  build(files: Files, root?: string): Promise<Json[] | undefined>;
  /** What stock tools make of it. */
  truth(each: Closable, sealed: Sealed, root?: string): Promise<JsonObject[] | undefined>;
  /** An object as it would be sent, comparable. */
  fill(tree: ClosedObject): Promise<JsonObject>;
}

export async function startStock(sealingKeys: readonly UnsealKey[] = []): Promise<Stock> {
  const folder = mkdtempSync(join(MEMORY_FOLDER, 'sotto-stock-'));
  const pair = await newAgeKeyPair();
  const opener = new Opener({ ageIdentities: parseAgeIdentities(Buffer.from(pair.identity)), sealingKeys });
  let count = 0;
  const sops = (args: readonly string[], stdin: string | Uint8Array): Promise<Buffer> =>
    stockOutput('sops', args, { stdin, env: { SOPS_AGE_KEY: pair.identity, HOME: folder }, cwd: folder });
  const seal: Stock['seal'] = (path, { text, role, args }) => {
    const flags = args ?? (role === 'document' && /\.(?:yaml|json)$/.test(path) ? DOCUMENT_ARGS : []);
    return sops(['encrypt', '--age', pair.recipient, ...flags, '--filename-override', path], text);
  };
  const build: Stock['build'] = async (files, root = '') => {
    const own = join(folder, String((count += 1)));
    put(own, files);
    const run = await runStock('kustomize', ['build', '.'], { cwd: join(own, root), env: {} });
    rmSync(own, { recursive: true });
    return run.code === 0 ? readManifests(run.stdout.toString(), 'out.yaml').map(({ value }) => value) : undefined;
  };
  return {
    folder,
    opener,
    seal,
    build,
    async sealAll(each) {
      const sealed: Record<string, Buffer> = {};
      for (const [path, file] of Object.entries(each.sealed)) sealed[path] = await seal(path, file);
      return sealed;
    },
    async truth(each, sealed, root) {
      const clear: Record<string, Buffer> = {};
      for (const [path, bytes] of Object.entries(sealed)) {
        const type = isBinary(each.sealed[path]) ? ['--input-type', 'binary', '--output-type', 'binary'] : [];
        clear[path] = await sops(['decrypt', ...type, '--filename-override', path], bytes);
      }
      const objects = await build({ ...each.plain, ...clear }, root);
      return objects?.filter((object) => isJsonObject(object)).map(comparable);
    },
    async fill(tree) {
      const isSecret = tree['apiVersion'] === 'v1' && tree['kind'] === 'Secret';
      const lane = new BodyBuffer();
      const body = await fillBody(isSecret ? secretTree(tree, documentOf(tree), 'allow') : tree, opener, lane);
      return comparable(parseJson(Buffer.from(body).toString()) as JsonObject);
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export function isBinary(file: SealedFile | undefined): boolean {
  return file?.args?.includes('binary') === true;
}

/** Parsed, values of Secrets in `data`, generated names without their suffix. */
export function comparable(object: JsonObject): JsonObject {
  const unnamed = JSON.parse(
    JSON.stringify(object).replaceAll(/-[bcdfghkmt2456789]{10}(?![a-z0-9])/g, '-HASH'),
  ) as JsonObject;
  if (unnamed['apiVersion'] !== 'v1' || unnamed['kind'] !== 'Secret') return unnamed;
  const { data, stringData, ...rest } = unnamed;
  const values: Record<string, string> = {};
  for (const [key, value] of Object.entries(isJsonObject(data) ? data : {})) {
    values[key] = Buffer.from(textOf(value), 'base64').toString('hex');
  }
  for (const [key, value] of Object.entries(isJsonObject(stringData) ? stringData : {})) {
    values[key] = Buffer.from(textOf(value)).toString('hex');
  }
  return { ...rest, data: values };
}

function put(root: string, files: Files): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

export function newKey(): FingerprintKey {
  using bytes = newFingerprintBytes();
  return fingerprintKey(bytes);
}

function textOf(value: Json): string {
  if (typeof value === 'string') return value;
  throw new Error('a value of a Secret is not a string');
}
