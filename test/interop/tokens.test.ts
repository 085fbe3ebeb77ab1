import { afterAll, beforeAll, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { type JsonObject, stringAt } from '../../src/core/json.ts';
import type { FingerprintKey } from '../../src/keys/fingerprint.ts';
import { closeFile, type EncryptedFile, type TokenMemory } from '../../src/render/tokens/content.ts';
import { closeRendered } from '../../src/render/tokens/rendered.ts';
import { TokenTable } from '../../src/render/tokens/table.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';
import { describeReal } from '../harness/real.ts';
import { CORPUS, type CorpusCase, type SealedFile } from '../render/tokens/corpus.ts';
import { isBinary, newKey, type Sealed, startStock, type Stock } from './stock-kustomize.ts';

type Outcome =
  | { readonly ok: true; readonly objects: readonly JsonObject[] }
  | { readonly ok: false; readonly code: string };

describeReal('kustomize on tokens', ['sops', 'age-keygen', 'kustomize'], () => {
  let stock: Stock;
  let key: FingerprintKey;

  beforeAll(async () => {
    stock = await startStock();
    key = newKey();
  });

  afterAll(() => stock[Symbol.dispose]());

  async function close(each: CorpusCase, sealed: Sealed, by = key) {
    const memories = new Map<string, TokenMemory>();
    const context = { key: by, opener: stock.opener, recall: (digest: string) => memories.get(digest) };
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

  async function rendered(each: CorpusCase, sealed: Sealed, by = key) {
    const files = await close(each, sealed, by);
    const table = new TokenTable(files.flatMap(({ entries }) => entries));
    const tree = Object.fromEntries(files.map(({ path, bytes }) => [path, bytes]));
    return { table, objects: await stock.build({ ...each.plain, ...tree }) };
  }

  async function filled(each: CorpusCase, sealed: Sealed): Promise<Outcome> {
    try {
      const { table, objects } = await rendered(each, sealed);
      if (objects === undefined) return { ok: false, code: 'build fails' };
      const { objects: closed, refused } = closeRendered(objects, table);
      if (refused[0] !== undefined) throw refused[0].error;
      const bodies: JsonObject[] = [];
      for (const { tree } of closed) bodies.push(await stock.fill(tree));
      return { ok: true, objects: bodies };
    } catch (thrown) {
      if (!(thrown instanceof SottoError)) throw thrown;
      expect(thrown.text()).not.toMatch(/hunter|admin|soTTo/);
      return { ok: false, code: thrown.code };
    }
  }

  it.each(CORPUS)('$expected: $name', async (each) => {
    const sealed = await stock.sealAll(each);
    const outcome = await filled(each, sealed);
    if (each.expected === '=') expect(outcome).toEqual({ ok: true, objects: await stock.truth(each, sealed) });
    else if (each.expected === 'differs') {
      expect(outcome.ok).toBe(true);
      expect(outcome).not.toEqual({ ok: true, objects: await stock.truth(each, sealed) });
      const gives = Buffer.from(each.gives ?? '').toString('hex');
      if (outcome.ok) expect(outcome.objects.at(-1)).toMatchObject({ data: { c: gives } });
    } else expect(outcome).toEqual({ ok: false, code: each.expected });
  });

  async function digests(each: CorpusCase, by = key): Promise<string[]> {
    const { table, objects = [] } = await rendered(each, await stock.sealAll(each), by);
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

function formatOf(path: string, file: SealedFile | undefined): WholeFormat {
  if (isBinary(file)) return 'binary';
  const ending = /\.(yaml|json|env|ini)$/.exec(path)?.[1];
  return ending === 'yaml' || ending === 'json' || ending === 'ini' ? ending : ending === 'env' ? 'dotenv' : 'binary';
}

function named(name: string): CorpusCase {
  const found = CORPUS.find((each) => each.name === name);
  if (found === undefined) throw new Error(name);
  return found;
}
