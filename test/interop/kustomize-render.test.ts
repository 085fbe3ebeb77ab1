import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SottoError } from '../../src/core/errors.ts';
import {
  childRenderer,
  runBuild,
  type ChildRendererOptions,
  kustomizeVersion,
} from '../../src/render/kustomize/child-renderer.ts';
import { type Containment, NO_CONTAINMENT, tryContainment } from '../../src/render/kustomize/containment.ts';
import { finderOf } from '../../src/render/kustomize/file-tree.ts';
import { KUSTOMIZE_VERSION, type Rendered, type Renderer } from '../../src/render/kustomize/renderer.ts';
import { type RendererPlace, readRendererPlace } from '../../src/render/kustomize/socket/address.ts';
import { startRendererServer } from '../../src/render/kustomize/socket/server.ts';
import { socketRenderer } from '../../src/render/kustomize/socket/socket-renderer.ts';
import { scan } from '../../src/render/kustomize/scan.ts';
import { type BuildFile, buildTree } from '../../src/render/kustomize/tree.ts';
import { sampleProcesses } from '../harness/process-sampler.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { BOMB, FAILING, TOKEN } from '../render/kustomize/failing.ts';
import { OVERLAYS } from '../render/kustomize/overlays.ts';
import { CONFIG_MAP, emptied, fixture, kustomization, MAP, tree } from '../render/kustomize/trees.ts';

const MIB = 1024 * 1024;
const LIMITS = { timeoutMs: 30_000, maxOutputBytes: 8 * MIB };
const CAPS = { timeoutMs: LIMITS.timeoutMs, maxMemoryBytes: 512 * MIB };
const TOOLS = { unshare: '/usr/bin/unshare', prlimit: '/usr/bin/prlimit' };

let workFolder = '';
let sockets = '';
let containment: Containment = NO_CONTAINMENT;

beforeAll(async () => {
  workFolder = await mkdtemp(join(tmpdir(), 'sotto-render-'));
  sockets = await mkdtemp(join(tmpdir(), 'sotto-sockets-'));
});

afterAll(async () => {
  for (const folder of [workFolder, sockets]) await rm(folder, { recursive: true, force: true });
});

type RenderOptions = Partial<ChildRendererOptions & { root: string }>;
type Way = (options: ChildRendererOptions) => Promise<{ readonly renderer: Renderer } & AsyncDisposable>;

/** One seam: whatever holds for a child process holds for a renderer elsewhere, in the same words. */
const WAYS: Readonly<Record<string, Way>> = {
  'as a child process': (options) =>
    Promise.resolve({ renderer: childRenderer(options), [Symbol.asyncDispose]: () => Promise.resolve() }),
  'behind a socket': (options) => {
    const place = readRendererPlace(`unix:${join(sockets, randomUUID(), 's')}`, undefined);
    return elsewhere(place, () => place, options);
  },
  'at a port': async (options) => {
    const token = join(sockets, 'token');
    await writeFile(token, 'x'.repeat(32));
    return elsewhere(
      readRendererPlace('tcp:127.0.0.1:0', token),
      (port) => readRendererPlace(`tcp:127.0.0.1:${port ?? 0}`, token),
      options,
    );
  },
};

async function elsewhere(
  own: RendererPlace,
  placeAt: (port: number | undefined) => RendererPlace,
  { signal, ...options }: ChildRendererOptions,
): Promise<{ readonly renderer: Renderer } & AsyncDisposable> {
  const server = await startRendererServer({
    place: own,
    about: { kustomize: KUSTOMIZE_VERSION, network: 'none', resources: 'capped' },
    build: ({ files, root }, gone) => runBuild({ ...options, signal: gone }, files, root),
    onBuilt: () => undefined,
    onDefect: (thrown) => {
      throw thrown;
    },
  });
  const { limits } = options;
  return {
    renderer: socketRenderer({ place: placeAt(server.port), signal, limits }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

let way: Way = () => Promise.reject(new Error('no way'));

async function render(files: readonly BuildFile[], options: RenderOptions = {}): Promise<Rendered> {
  const { root = '', ...rest } = options;
  const program = toolPath('kustomize');
  await using open = await way({ program, workFolder, containment, limits: LIMITS, ...rest });
  return await open.renderer.build(files, root);
}

/** Without any scan: what the renderer does when that was wrong. */
function unscanned(text: string): BuildFile[] {
  return [...fixture(text).files].map(([path, content]) => ({ path, bytes: new TextEncoder().encode(content) }));
}

async function refusal(files: readonly BuildFile[], options: RenderOptions = {}) {
  const rendered = await render(files, options);
  if (rendered.ok) throw new Error('it was built');
  return rendered.error;
}

function suite(): void {
  beforeAll(async () => {
    containment = await tryContainment(toolPath('kustomize'), TOOLS, CAPS);
  });

  test('is contained by what the system has, and says by what', async () => {
    const program = toolPath('kustomize');
    expect(await tryContainment(program, {}, CAPS)).toEqual(NO_CONTAINMENT);
    expect(await tryContainment(program, { unshare: '/nonexistent/unshare' }, CAPS)).toEqual(NO_CONTAINMENT);
    expect((await tryContainment(program, { prlimit: TOOLS.prlimit }, CAPS)).resources).toBe('capped');
    // A limit under which kustomize cannot even start is not taken for a wall.
    expect(await tryContainment(program, { prlimit: TOOLS.prlimit }, { ...CAPS, maxMemoryBytes: MIB })).toEqual(
      NO_CONTAINMENT,
    );
  });

  test.each(OVERLAYS.filter((_, index) => index % 10 === 0))('builds what was scanned: $name', async (overlay) => {
    const files = tree(overlay.files);
    const scanned = scan(files, overlay.root);
    if (!scanned.ok) throw scanned.refusals[0] ?? new Error('no refusal');
    const rendered = await render(buildTree(scanned.result, finderOf(files), emptied(scanned.result)), {
      root: overlay.root,
    });
    if (!rendered.ok) throw rendered.error;
    expect(Buffer.from(rendered.bytes).toString()).toMatch(/^apiVersion: /m);
  });

  test('inherits no environment, gets no secret as argument, and leaves no file', async () => {
    using sampler = sampleProcesses();
    await refusal(unscanned(BOMB), { limits: { ...LIMITS, timeoutMs: 300 }, containment: NO_CONTAINMENT });
    const seen = sampler.samples().filter(({ argv }) => argv.includes('kustomize'));
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.map(({ environ }) => environ).filter((environ) => environ !== '')).toEqual([]);
    expect(seen.map(({ argv }) => argv.split('\0')[1])).toEqual(seen.map(() => 'build'));
    expect(await readdir(workFolder)).toEqual([]);
  });

  test('is ended when it takes too long, and when this process ends', async () => {
    const late = await refusal(unscanned(BOMB), { limits: { ...LIMITS, timeoutMs: 300 } });
    expect(late.text()).toContain('SOTTO-RENDER-038: kustomize was ended — it ran for more than 0.3 s');
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 100);
    expect((await refusal(unscanned(BOMB), { signal: stop.signal })).why).toBe('this process is ending');
    expect((await refusal(unscanned(BOMB), { signal: AbortSignal.abort() })).why).toBe('this process is ending');
  });

  test('is ended when it wants too much memory', async () => {
    const program = toolPath('kustomize');
    const capped = await tryContainment(program, TOOLS, { ...CAPS, maxMemoryBytes: 256 * MIB });
    expect(capped.resources).toBe('capped');
    const error = await refusal(unscanned(BOMB), { containment: capped });
    expect([error.code, error.why]).toEqual(['SOTTO-RENDER-038', 'it needed more memory than it may have']);
  });

  test('is ended when it says too much', async () => {
    const error = await refusal(unscanned(kustomization('resources: [map.yaml]', MAP)), {
      limits: { ...LIMITS, maxOutputBytes: 20 },
    });
    expect([error.code, error.why]).toEqual(['SOTTO-RENDER-038', 'it gave more than 20 bytes']);
  });

  test('is of the version that the scan knows', async () => {
    expect(await kustomizeVersion(toolPath('kustomize'))).toBe(KUSTOMIZE_VERSION);
    expect(await kustomizeVersion('/bin/true')).toBeUndefined();
    expect(await kustomizeVersion('/nonexistent/kustomize')).toBeUndefined();
  });

  test('builds in a folder of the same name each time', async () => {
    const plugin =
      'apiVersion: builtin\nkind: ValueAddTransformer\nmetadata: { name: v }\ntargets: [{ fieldPath: data/x }]\n';
    const files = unscanned(
      kustomization('resources: [map.yaml]\ntransformers: [v.yaml]', MAP, `-- v.yaml\n${plugin}`),
    );
    const [one, two] = [await render(files), await render(files)];
    expect(one.ok && Buffer.from(one.bytes).toString()).toContain('x: repository');
    expect(two).toEqual(one);
  });

  test('that is not there is told', async () => {
    const error = await refusal([], { program: '/nonexistent/kustomize', containment: NO_CONTAINMENT });
    expect(error.code).toBe('SOTTO-RENDER-039');
    expect((await refusal([], { workFolder: '/nonexistent' })).code).toBe('SOTTO-RENDER-039');
  });

  test.each(FAILING)(
    'tells in other words why it refused, and where: $name',
    async ({ files, root, why, file, object }) => {
      const scanned = scan(tree(files), root);
      if (!scanned.ok) throw scanned.refusals[0] ?? new Error('no refusal');
      const error = await refusal(buildTree(scanned.result, finderOf(tree(files)), emptied(scanned.result)), { root });
      expect(error.code).toBe('SOTTO-RENDER-037');
      expect(error.why).toContain(why);
      expect(error.place.file).toBe(file);
      expect(error.place.object).toBe(object);
      expectNoContent(error);
    },
  );
}

for (const [name, open] of Object.entries(WAYS)) {
  describeReal(`kustomize ${name}`, ['kustomize'], () => {
    beforeAll(() => {
      way = open;
    });
    suite();
  });
}

function expectNoContent(error: SottoError): void {
  expect(JSON.stringify(error) + error.text() + String(error.stack)).not.toMatch(
    new RegExp(`${TOKEN.slice(0, 12)}|${workFolder}`),
  );
}

describeReal('kustomize without a network', ['kustomize'], () => {
  beforeAll(() => {
    way = WAYS['as a child process'] ?? way;
  });

  let server: Server;
  let hits = 0;

  beforeAll(async () => {
    server = createServer((_request, response) => {
      hits += 1;
      response.end(CONFIG_MAP);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  });

  afterAll(() => void server.close());

  test('reaches nobody, even when the scan is left out', async (context) => {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const files = unscanned(kustomization(`resources: ["http://127.0.0.1:${port}/x.yaml"]`));
    expect((await render(files, { containment: NO_CONTAINMENT })).ok).toBe(true);
    expect(hits).toBe(1);
    const own = await tryContainment(toolPath('kustomize'), TOOLS, CAPS);
    context.skip(own.network !== 'none', 'this system gives no network namespace');
    expect((await refusal(files, { containment: own })).code).toBe('SOTTO-RENDER-037');
    expect(hits).toBe(1);
  });
});
