import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FingerprintKey } from '../../src/keys/fingerprint.ts';
import type { Renderer } from '../../src/render/kustomize/renderer.ts';
import { describeReal } from '../harness/real.ts';
import { HOSTILE } from '../render/kustomize/hostile.ts';
import { fixture, treeOf } from '../render/kustomize/trees.ts';
import type { SealedFile } from '../render/tokens/corpus.ts';
import { SECRET } from '../render/tokens/secrets.ts';
import { buildClosed, outcomeOf, realRenderer, repositoryOf, type Seen } from './closed-build.ts';
import { type Files, newKey, startStock, type Stock } from './stock-kustomize.ts';

const PIECE = 8;

let stock: Stock;
let key: FingerprintKey;
let renderer: Renderer;
let server: Server;
let hits = 0;

const doc = (name: string, entries: Readonly<Record<string, string>>): SealedFile => ({
  role: 'document',
  text: JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: entries }),
});

/** Pieces of values and of their base64 that are in what the renderer had or gave. Values that are words of the tree are none. */
function leaks({ files, output }: Seen, values: readonly Uint8Array[], plain: string): string[] {
  const seen = Buffer.concat([...files.flatMap(({ path, bytes }) => [Buffer.from(path), bytes]), output]);
  return values.flatMap((value) =>
    [Buffer.from(value), Buffer.from(Buffer.from(value).toString('base64'))].flatMap((bytes) => {
      const found: string[] = [];
      for (let at = 0; at + PIECE <= bytes.length; at += 1) {
        const piece = bytes.subarray(at, at + PIECE);
        if (seen.includes(piece) && !plain.includes(piece.toString())) found.push(piece.toString('hex'));
      }
      return found;
    }),
  );
}

interface Random {
  readonly plain: Record<string, string>;
  readonly sealed: Record<string, SealedFile>;
  readonly values: readonly Uint8Array[];
}

const LAYER = fc.record({
  prefix: fc.constantFrom('', 'namePrefix: p-\n', 'nameSuffix: -s\n', 'namespace: team\n'),
  more: fc.constantFrom(
    '',
    'commonLabels: { a: b }\n',
    'commonAnnotations: { c: d }\n',
    'generatorOptions: { labels: { e: f } }\n',
  ),
  asComponent: fc.boolean(),
  text: SECRET,
  file: SECRET,
  variable: SECRET,
  patch: fc.option(SECRET),
  merges: fc.boolean(),
});

/** Layers, each over the one before: a resource, a generator, an encrypted patch of what is below. */
const TREE = fc.array(LAYER, { minLength: 1, maxLength: 3 }).map((layers): Random => {
  const [plain, sealed]: [Record<string, string>, Record<string, SealedFile>] = [{}, {}];
  const values: Uint8Array[] = [];
  const textOf = (value: Uint8Array): string => {
    // kustomize breaks lines at what YAML 1.1 takes for line breaks when it patches: the truth is wrong there.
    const text = Buffer.from(value)
      .toString('utf8')
      .replaceAll('\ufffd', '?')
      .replaceAll(/[\0\u0085\u2028\u2029]/g, '0');
    values.push(Buffer.from(text));
    return text;
  };
  for (const [at, layer] of layers.entries()) {
    const folder = at === layers.length - 1 ? 'o' : `l${at}`;
    const below = at === 0 ? '' : `../l${at - 1}, `;
    const merges = layer.merges && at > 0;
    const part = layer.asComponent ? `components: [../c${at}]\n` : '';
    plain[`${folder}/kustomization.yaml`] = [
      `resources: [${below}s.json]\n`,
      layer.prefix,
      layer.more,
      part,
      `secretGenerator: [{ name: ${merges ? `g${at - 1}, behavior: merge` : `g${at}`}, files: [f.bin], envs: [e.env] }]\n`,
      layer.patch !== null ? 'patches: [{ path: p.json }]\n' : '',
    ].join('');
    sealed[`${folder}/s.json`] = doc(`s${at}`, { text: textOf(layer.text), also: textOf(layer.variable) });
    sealed[`${folder}/f.bin`] = { role: 'generator-file', text: layer.file };
    values.push(layer.file);
    const line = textOf(layer.variable)
      .replaceAll(/[\r\n\u2028]/g, ' ')
      .trim();
    sealed[`${folder}/e.env`] = { role: 'env-file', text: `V${at}=${line}\nW=x${at} y\n` };
    values.push(Buffer.from(line));
    if (layer.patch !== null) sealed[`${folder}/p.json`] = doc(`s${at}`, { text: textOf(layer.patch) });
    if (!layer.asComponent) continue;
    plain[`c${at}/kustomization.yaml`] =
      'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [c.json]\n';
    sealed[`c${at}/c.json`] = doc(`c${at}`, { x: textOf(layer.text) });
  }
  return { plain, sealed, values };
});

const never = (): Promise<never> => Promise.reject(new Error('it was opened'));

const plainSecret = (field: string, value: string): string =>
  `apiVersion: v1\nkind: Secret\nmetadata: { name: stolen }\n${field}: { a: "${value}" }\n`;

const map = (value: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: stolen }\ndata: { a: "${value}" }\n`;

async function build(files: Files): Promise<Seen> {
  return buildClosed(stock, repositoryOf(files), '', { key, renderer });
}

/** The tokens that stand for the secrets of a file. */
async function tokensOf(files: Files): Promise<string[]> {
  const { files: given } = await build(files);
  return given.flatMap(
    ({ bytes }) =>
      Buffer.from(bytes)
        .toString()
        .match(/soTTo[A-Za-z0-9]{43}/g) ?? [],
  );
}

describeReal('secrets in a build', ['sops', 'age-keygen', 'kustomize'], () => {
  beforeAll(async () => {
    stock = await startStock();
    key = newKey();
    renderer = realRenderer(stock);
    server = createServer((_request, response) => {
      hits += 1;
      response.end('apiVersion: v1\nkind: ConfigMap\nmetadata: { name: remote }\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  afterAll(() => {
    server.close();
    stock[Symbol.dispose]();
  });

  test('come out as they went in, whatever they are and whatever is made of them, and kustomize has none', async () => {
    let equal = 0;
    await fc.assert(
      fc.asyncProperty(TREE, async ({ plain, sealed, values }) => {
        const closed = await stock.sealAll({ sealed }).catch(() => undefined);
        // What stock sops does not take is nothing that anybody has.
        if (closed === undefined) return;
        const seen = await buildClosed(stock, repositoryOf({ ...plain, ...closed }), 'o', { key, renderer });
        const made = await outcomeOf(stock, seen);
        expect(leaks(seen, values, JSON.stringify(plain))).toEqual([]);
        const truth = await stock.truth({ plain, sealed }, closed, 'o');
        if (!made.ok) {
          expect(made.codes).toEqual([expect.stringMatching(/^SOTTO-/)]);
          return;
        }
        equal += 1;
        expect(made.objects).toEqual(truth);
      }),
      { numRuns: 40, interruptAfterTimeLimit: 90_000, markInterruptAsFailure: false },
    );
    expect(equal).toBeGreaterThan(10);
  });

  test('of another build are filled nowhere: their tokens are refused', async () => {
    const other = await stock.seal('db.json', doc('db', { password: 'hunter2 of others' }));
    const [token = ''] = await tokensOf({ 'kustomization.yaml': 'resources: [db.json]\n', 'db.json': other });
    expect(token).toMatch(/^soTTo/);
    const forged = `soTTo${'A'.repeat(43)}`;
    for (const each of [token, forged, `x${token}y`]) {
      for (const text of [
        plainSecret('stringData', each),
        ...(each.length === 48 ? [plainSecret('data', each)] : []),
        plainSecret('data', Buffer.from(each).toString('base64')),
        map(each),
      ]) {
        const made = await outcomeOf(
          stock,
          await build({ 'kustomization.yaml': 'resources: [x.yaml]\n', 'x.yaml': text }),
        );
        expect(JSON.stringify(made)).not.toContain('hunter2');
        expect(made, text).toEqual({ ok: false, codes: ['SOTTO-RENDER-044'] });
      }
      const literal = `secretGenerator: [{ name: g, literals: ["a=${each}"] }]\n`;
      const made = await outcomeOf(stock, await build({ 'kustomization.yaml': literal }));
      expect(made).toEqual({ ok: false, codes: ['SOTTO-RENDER-044'] });
    }
  });

  test('of this build are filled in no object but a Secret, wherever a token is copied to', async () => {
    const db = await stock.seal('db.json', doc('db', { password: 'hunter2 of ours' }));
    const [token = ''] = await tokensOf({ 'kustomization.yaml': 'resources: [db.json]\n', 'db.json': db });
    for (const [text, code] of [
      [map(token), 'SOTTO-RENDER-006'],
      [map(Buffer.from(token).toString('base64')), 'SOTTO-RENDER-006'],
      [map(token.slice(0, 20)), 'SOTTO-RENDER-043'],
      [map(token.toLowerCase()), 'SOTTO-RENDER-043'],
      [
        `apiVersion: example.com/v1\nkind: Secret\nmetadata: { name: x }\nstringData: { a: "${token}" }\n`,
        'SOTTO-RENDER-006',
      ],
      [`apiVersion: v1\nkind: Secret\nmetadata: { name: x, labels: { a: "${token}" } }\n`, 'SOTTO-RENDER-006'],
    ] as const) {
      const seen = await build({
        'kustomization.yaml': 'resources: [db.json, x.yaml]\n',
        'db.json': db,
        'x.yaml': text,
      });
      const made = await outcomeOf(stock, seen);
      expect(made, text).toEqual({ ok: false, codes: [code] });
      if (seen.built.ok) expect(seen.built.documents.length).toBe(1);
    }
  });

  test('that are remembered are not those of a file with other ciphertext', async () => {
    const [first, second] = [
      await stock.seal('db.json', doc('db', { a: 'one' })),
      await stock.seal('db.json', doc('db', { a: 'two' })),
    ];
    const kustomization = 'resources: [db.json]\n';
    const { built } = await build({ 'kustomization.yaml': kustomization, 'db.json': first });
    const memories = built.ok ? built.memories : [];
    const recall = (digest: string) => memories.find((each) => each.digest === digest);
    const files = { 'kustomization.yaml': kustomization, 'db.json': second };
    const made = await outcomeOf(stock, await buildClosed(stock, repositoryOf(files), '', { key, renderer, recall }));
    expect(made).toMatchObject({ ok: true, objects: [{ data: { a: Buffer.from('two').toString('hex') } }] });
  });

  test.each(HOSTILE)('are opened for nobody who would look elsewhere: $name', async ({ files, code }) => {
    const { port } = server.address() as AddressInfo;
    const { files: texts, links } = fixture(files.replaceAll('HOST', `127.0.0.1:${port}`));
    const inside = treeOf({ files: new Map([...texts].filter(([path]) => !path.startsWith('../'))), links });
    const opener = { open: never, openVariables: never, verifySops: never, verifyWhole: never };
    const seen = await buildClosed(stock, inside, files.startsWith('-- o/') ? 'o' : '', { key, renderer, opener });
    expect(seen.built.ok ? [] : seen.built.errors.map((error) => error.code)).toContain(code);
    expect([seen.files.length, hits]).toEqual([0, 0]);
  });
});
