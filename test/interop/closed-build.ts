import assert from 'node:assert/strict';
import { reach } from '../../src/agent/reach.ts';
import { SottoError } from '../../src/core/errors.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { FingerprintKey } from '../../src/keys/fingerprint.ts';
import { restoreTrees, type StoredTrees, storeTrees } from '../../src/open/stored.ts';
import { build, type BuildContext, type Built } from '../../src/render/kustomize/build.ts';
import { type FileTree, finderOf, type TreeEntry } from '../../src/render/kustomize/file-tree.ts';
import { localRenderer } from '../../src/render/kustomize/local-renderer.ts';
import type { Renderer } from '../../src/render/kustomize/renderer.ts';
import type { BuildFile } from '../../src/render/kustomize/tree.ts';
import { toolPath } from '../harness/real.ts';
import type { Files, Stock } from './stock-kustomize.ts';

/** What came of a build, and all that the renderer had and gave. */
export interface Seen {
  readonly built: Built;
  readonly files: readonly BuildFile[];
  readonly output: Uint8Array;
}

export type Outcome =
  | { readonly ok: true; readonly objects: readonly JsonObject[] }
  | { readonly ok: false; readonly codes: readonly string[] };

export function repositoryOf(files: Files): FileTree {
  return new Map(
    Object.entries(files).map(([path, content]): [string, TreeEntry] => [
      path,
      { kind: 'file', bytes: Buffer.from(content) },
    ]),
  );
}

/** kustomize as the agent runs it on its own machine. */
export function realRenderer(stock: Stock): Renderer {
  return localRenderer({
    program: toolPath('kustomize'),
    searchPath: process.env['PATH'],
    workFolder: stock.folder,
  });
}

export interface Wanted extends Partial<BuildContext> {
  readonly renderer: Renderer;
  readonly key: FingerprintKey;
}

/** The way of the agent: looked at step by step, then built. */
export async function buildClosed(stock: Stock, tree: FileTree, root: string, wanted: Wanted): Promise<Seen> {
  const finder = finderOf(tree);
  const { scanned, find } = await reach(root, async (paths) => new Map(paths.map((path) => [path, finder(path)])));
  if (!scanned.ok) return { built: { ok: false, errors: scanned.refusals }, files: [], output: new Uint8Array() };
  let [files, output]: [readonly BuildFile[], Uint8Array] = [[], new Uint8Array()];
  const built = await build(scanned.result, find, {
    opener: stock.opener,
    namespace: 'team',
    plaintextSecrets: 'allow',
    allowed: { mayHoldSecrets: () => false },
    recall: () => undefined,
    ...wanted,
    renderer: {
      async build(given, folder) {
        const rendered = await wanted.renderer.build(given, folder);
        files = given;
        if (rendered.ok) output = rendered.bytes;
        return rendered;
      },
    },
  });
  return { built, files, output };
}

/** The objects with their values, as they would be sent; or everything that was refused. */
export async function outcomeOf(stock: Stock, { built }: Pick<Seen, 'built'>): Promise<Outcome> {
  if (!built.ok) return refused(built.errors);
  if (built.refusals.length > 0) return refused(built.refusals.map(({ error }) => error));
  const objects: JsonObject[] = [];
  try {
    for (const { tree } of built.documents) {
      const object = await stock.fill(tree);
      // What is kept for a restart without Git opens to the same, whatever it is composed of.
      const [kept = {}] = restoreTrees(JSON.parse(JSON.stringify(storeTrees([tree]))) as StoredTrees);
      assert.deepEqual(await stock.fill(kept), object);
      objects.push(object);
    }
  } catch (thrown) {
    if (thrown instanceof SottoError) return refused([thrown]);
    throw thrown;
  }
  return { ok: true, objects };
}

function refused(errors: readonly SottoError[]): Outcome {
  return { ok: false, codes: [...new Set(errors.map(({ code }) => code))] };
}
