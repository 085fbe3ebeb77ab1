import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { completed, type Wanted } from '../src/agent/reach.ts';
import { Sensitive } from '../src/core/sensitive.ts';
import type { TestRepository } from '../src/demo/git-server.ts';
import { fingerprintKey, newFingerprintBytes } from '../src/keys/fingerprint.ts';
import { Opener } from '../src/open/opener.ts';
import { build, type Built } from '../src/render/kustomize/build.ts';
import { localRenderer } from '../src/render/kustomize/local-renderer.ts';
import type { Renderer } from '../src/render/kustomize/renderer.ts';
import { render } from '../src/render/render.ts';
import type { TokenMemory } from '../src/render/tokens/content.ts';
import { parseAgeIdentities } from '../src/sops/age.ts';
import { createGitSource, type GitSource } from '../src/source/git-source.ts';
import { GIT_USER, type Ground } from './world.ts';

/** Milliseconds of the parts of a pass, in order. What follows are requests to the API server. */
export interface Stages {
  readonly fetch: number;
  readonly scan: number;
  readonly closing: number;
  readonly kustomize: number;
  readonly accounting: number;
  readonly plan: number;
}

export const STAGE_NAMES = ['fetch', 'scan', 'closing', 'kustomize', 'accounting', 'plan'] as const;

/** The parts of a pass in this process, from the Git server to the desired set: the calls that the agent makes. */
export interface StagedPass extends AsyncDisposable {
  /** What was pulled and which tokens were made before are remembered, as the agent does. */
  pass(): Promise<{ readonly stages: Stages; readonly objects: number }>;
}

export async function stagedPass(ground: Ground, repository: TestRepository): Promise<StagedPass> {
  await using cleanup = new AsyncDisposableStack();
  const folder = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sotto-bench-'));
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  const workFolder = join(folder, 'build');
  await mkdir(workFolder);
  const { tools, signal } = ground;
  const local = localRenderer({ program: tools.kustomize, searchPath: process.env['PATH'], workFolder, signal });
  const source = cleanup.use(await sourceOf(ground, repository, join(folder, 'git')));
  using keyBytes = newFingerprintBytes();
  const key = fingerprintKey(keyBytes);
  const identities = parseAgeIdentities(Buffer.from(ground.key.identity));
  let before: Wanted | undefined;
  let memories = new Map<string, TokenMemory>();
  const running = cleanup.move();
  return {
    async pass() {
      const pulled = await timedPull(source, before);
      before = pulled.snapshot;
      const { kustomize } = pulled.snapshot;
      if (kustomize?.scanned.ok !== true) throw new Error('the benchmark has a kustomization that cannot be read');
      using opener = new Opener({ ageIdentities: identities, sealingKeys: [] });
      const { renderer, ran } = timedRenderer(local);
      const startMs = performance.now();
      const built = await build(kustomize.scanned.result, kustomize.find, {
        key,
        opener,
        namespace: 'bench',
        renderer,
        plaintextSecrets: 'refuse',
        allowed: { mayHoldSecrets: () => false },
        recall: (digest) => memories.get(digest),
      });
      const builtMs = performance.now();
      if (!built.ok) throw built.errors[0] ?? new Error('not built');
      memories = new Map(built.memories.map((memory) => [memory.digest, memory]));
      const objects = desiredObjects(built);
      const stages = {
        ...pulled.stages,
        closing: ran.startMs - startMs,
        kustomize: ran.endMs - ran.startMs,
        accounting: builtMs - ran.endMs,
        plan: performance.now() - builtMs,
      };
      return { stages, objects };
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function sourceOf({ git }: Ground, repository: TestRepository, workDir: string): Promise<GitSource> {
  return createGitSource(
    {
      url: git.url(repository),
      branch: 'main',
      path: 'deploy',
      ignore: [],
      requireFastForward: false,
      workDir,
      timeoutMs: 60_000,
    },
    {
      access: () => {
        const [username, password] = [sensitive(GIT_USER.username), sensitive(GIT_USER.password)];
        return Promise.resolve({
          credential: { kind: 'basic', username, password },
          caCertificate: Buffer.from(git.caPem),
        });
      },
    },
  );
}

function sensitive(text: string): Sensitive {
  return Sensitive.copyOf(Buffer.from(text));
}

/** Reading what the scan asks for counts as fetching. */
async function timedPull(source: GitSource, before: Wanted | undefined) {
  const startMs = performance.now();
  const pulled = await source.pull(before);
  const pulledMs = performance.now();
  let lookMs = 0;
  const snapshot = await completed(
    pulled,
    {
      async look(commit, paths, known) {
        const askedMs = performance.now();
        const found = await source.look(commit, paths, known);
        lookMs += performance.now() - askedMs;
        return found;
      },
    },
    before?.files ?? [],
  );
  const stages = { fetch: pulledMs - startMs + lookMs, scan: performance.now() - pulledMs - lookMs };
  return { snapshot, stages };
}

function timedRenderer(inner: Renderer) {
  const ran = { startMs: Number.NaN, endMs: Number.NaN };
  const renderer: Renderer = {
    async build(files, root) {
      ran.startMs = performance.now();
      const rendered = await inner.build(files, root);
      ran.endMs = performance.now();
      return rendered;
    },
  };
  return { renderer, ran };
}

function desiredObjects({ documents }: Built & { readonly ok: true }): number {
  const { objects, refusals } = render(documents, {
    targetNamespace: 'bench',
    plaintextSecrets: 'refuse',
    skip: [],
    vetoes: {
      lifted: [],
      agentNamespace: 'bench',
      targetNamespace: 'bench',
      accounts: ['sotto'],
      namedSecrets: new Set(),
      markedSecrets: new Set(),
    },
    isNamespaced: () => true,
  });
  const [refused] = refusals;
  if (refused !== undefined) throw refused.error;
  return objects.length;
}
