import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BodyBuffer } from '../../src/apply/body.ts';
import { fillBody } from '../../src/apply/fill.ts';
import type { ClosedObject } from '../../src/core/closed.ts';
import { SottoError } from '../../src/core/errors.ts';
import { isJsonObject, type Json, type JsonObject, parseJson, stringAt } from '../../src/core/json.ts';
import { type FingerprintKey, fingerprintKey, newFingerprintBytes } from '../../src/keys/fingerprint.ts';
import { Opener } from '../../src/open/opener.ts';
import { secretTree } from '../../src/render/secret.ts';
import { closeFile, type EncryptedFile, type TokenMemory } from '../../src/render/tokens/content.ts';
import { closeRendered } from '../../src/render/tokens/rendered.ts';
import { TokenTable } from '../../src/render/tokens/table.ts';
import { parseAgeIdentities } from '../../src/sops/age.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';
import { readManifests } from '../../src/yaml/manifest.ts';
import { describeReal } from '../harness/real.ts';
import { type AgeKeyPair, newAgeKeyPair, runStock, stockOutput } from '../harness/stock.ts';
import { CORPUS, type CorpusCase, type SealedFile } from '../render/tokens/corpus.ts';
import { documentOf } from '../render/tokens/secrets.ts';

// Plain text of secrets may not touch a disk, not even that of a test.
const MEMORY_FOLDER = '/dev/shm';
const DOCUMENT_ARGS = ['--encrypted-regex', '^(data|stringData)$'];

type Outcome =
  | { readonly ok: true; readonly objects: readonly JsonObject[] }
  | { readonly ok: false; readonly code: string };

describeReal('kustomize on tokens', ['sops', 'age-keygen', 'kustomize'], () => {
  let folder: string;
  let pair: AgeKeyPair;
  let opener: Opener;
  let key: FingerprintKey;
  let count = 0;

  beforeAll(async () => {
    folder = mkdtempSync(join(MEMORY_FOLDER, 'sotto-tokens-'));
    pair = await newAgeKeyPair();
    opener = new Opener({ ageIdentities: parseAgeIdentities(Buffer.from(pair.identity)), sealingKeys: [] });
    key = newKey();
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function sops(args: readonly string[], stdin: string | Uint8Array): Promise<Buffer> {
    return stockOutput('sops', args, { stdin, env: { SOPS_AGE_KEY: pair.identity, HOME: folder }, cwd: folder });
  }

  async function seal(path: string, { text, role, args }: SealedFile): Promise<Buffer> {
    const flags = args ?? (role === 'document' && /\.(?:yaml|json)$/.test(path) ? DOCUMENT_ARGS : []);
    return sops(['encrypt', '--age', pair.recipient, ...flags, '--filename-override', path], text);
  }

  async function sealAll(each: CorpusCase): Promise<Record<string, Buffer>> {
    const sealed: Record<string, Buffer> = {};
    for (const [path, sealedFile] of Object.entries(each.sealed)) sealed[path] = await seal(path, sealedFile);
    return sealed;
  }

  async function build(files: Readonly<Record<string, string | Uint8Array>>): Promise<Json[] | undefined> {
    const root = join(folder, String((count += 1)));
    put(root, files);
    const run = await runStock('kustomize', ['build', '.'], { cwd: root, env: {} });
    rmSync(root, { recursive: true });
    return run.code === 0 ? readManifests(run.stdout.toString(), 'out.yaml').map(({ value }) => value) : undefined;
  }

  /** What stock tools make of it. */
  async function truth(each: CorpusCase, sealed: Readonly<Record<string, Buffer>>): Promise<JsonObject[] | undefined> {
    const clear: Record<string, Buffer> = {};
    for (const [path, bytes] of Object.entries(sealed)) {
      const type = isBinary(each.sealed[path]) ? ['--input-type', 'binary', '--output-type', 'binary'] : [];
      clear[path] = await sops(['decrypt', ...type, '--filename-override', path], bytes);
    }
    const objects = await build({ ...each.plain, ...clear });
    return objects?.filter((object) => isJsonObject(object)).map(comparable);
  }

  async function close(each: CorpusCase, sealed: Readonly<Record<string, Buffer>>, by = key) {
    const memories = new Map<string, TokenMemory>();
    const context = { key: by, opener, recall: (digest: string) => memories.get(digest) };
    return Promise.all(
      Object.entries(sealed).map(async ([path, bytes]) => {
        const file: EncryptedFile = {
          path,
          bytes,
          format: formatOf(path, each.sealed[path]),
          role: each.sealed[path]?.role ?? 'document',
        };
        const closed = await closeFile(file, context);
        // Remembered, it is closed without being opened, and is the same.
        memories.set(closed.memory.digest, closed.memory);
        const again = await closeFile(file, { ...context, opener: CLOSED });
        expect([again.bytes, again.entries.map(({ token }) => token)]).toEqual([
          closed.bytes,
          closed.entries.map(({ token }) => token),
        ]);
        return { path, ...closed };
      }),
    );
  }

  async function rendered(each: CorpusCase, sealed: Readonly<Record<string, Buffer>>, by = key) {
    const files = await close(each, sealed, by);
    const table = new TokenTable(files.flatMap(({ entries }) => entries));
    const tree = Object.fromEntries(files.map(({ path, bytes }) => [path, bytes]));
    return { table, objects: await build({ ...each.plain, ...tree }) };
  }

  async function filled(each: CorpusCase, sealed: Readonly<Record<string, Buffer>>): Promise<Outcome> {
    try {
      const { table, objects } = await rendered(each, sealed);
      if (objects === undefined) return { ok: false, code: 'build fails' };
      const { objects: closed, refused } = closeRendered(objects, table);
      if (refused[0] !== undefined) throw refused[0].error;
      const bodies: JsonObject[] = [];
      for (const { tree } of closed) bodies.push(comparable(await fill(tree)));
      return { ok: true, objects: bodies };
    } catch (thrown) {
      if (!(thrown instanceof SottoError)) throw thrown;
      expect(thrown.text()).not.toMatch(/hunter|admin|soTTo/);
      return { ok: false, code: thrown.code };
    }
  }

  async function fill(tree: ClosedObject): Promise<JsonObject> {
    const isSecret = tree['apiVersion'] === 'v1' && tree['kind'] === 'Secret';
    const lane = new BodyBuffer();
    const body = await fillBody(isSecret ? secretTree(tree, documentOf(tree), 'allow') : tree, opener, lane);
    return parseJson(Buffer.from(body).toString()) as JsonObject;
  }

  it.each(CORPUS)('$expected: $name', async (each) => {
    const sealed = await sealAll(each);
    const outcome = await filled(each, sealed);
    if (each.expected === '=') expect(outcome).toEqual({ ok: true, objects: await truth(each, sealed) });
    else if (each.expected === 'differs') {
      expect(outcome.ok).toBe(true);
      expect(outcome).not.toEqual({ ok: true, objects: await truth(each, sealed) });
      const gives = Buffer.from(each.gives ?? '').toString('hex');
      if (outcome.ok) expect(outcome.objects.at(-1)).toMatchObject({ data: { c: gives } });
    } else expect(outcome).toEqual({ ok: false, code: each.expected });
  });

  async function digests(each: CorpusCase, by = key): Promise<string[]> {
    const { table, objects = [] } = await rendered(each, await sealAll(each), by);
    return closeRendered(objects, table).objects.map(
      ({ tree, digest }) => `${stringAt(tree, 'metadata', 'name') ?? ''} ${digest}`,
    );
  }

  it('gives the same names for the same values, another one for a changed value, and others for another key', async () => {
    const each = named('one value in four places');
    const first = await digests(each);
    expect(await digests(each)).toEqual(first);
    const changed = {
      ...each,
      sealed: { ...each.sealed, 'p.txt': { role: 'generator-file', text: 'other' } as const },
    };
    const second = await digests(changed);
    expect(second.filter((line) => first.includes(line)).map((line) => line.split(' ')[0])).toEqual(['db']);
    const others = await digests(each, newKey());
    expect(others.filter((line) => first.includes(line))).toEqual([]);
  });
});

const CLOSED = {
  open: () => Promise.reject(new Error('it was opened')),
  openVariables: () => Promise.reject(new Error('it was opened')),
  verifySops: () => Promise.reject(new Error('it was opened')),
  verifyWhole: () => Promise.reject(new Error('it was opened')),
};

function isBinary(file: SealedFile | undefined): boolean {
  return file?.args?.includes('binary') === true;
}

function formatOf(path: string, file: SealedFile | undefined): WholeFormat {
  if (isBinary(file)) return 'binary';
  const ending = /\.(yaml|json|env|ini)$/.exec(path)?.[1];
  return ending === 'yaml' || ending === 'json' || ending === 'ini' ? ending : ending === 'env' ? 'dotenv' : 'binary';
}

/** Parsed, values of Secrets in `data`, generated names without their suffix. */
function comparable(object: JsonObject): JsonObject {
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

function put(root: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

function named(name: string): CorpusCase {
  const found = CORPUS.find((each) => each.name === name);
  if (found === undefined) throw new Error(name);
  return found;
}

function newKey(): FingerprintKey {
  using bytes = newFingerprintBytes();
  return fingerprintKey(bytes);
}

function textOf(value: Json): string {
  if (typeof value === 'string') return value;
  throw new Error('a value of a Secret is not a string');
}
