import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRenderer, rendererLine, type RendererOptions, statusOfRenderer } from '../../src/agent/renderer.ts';
import { startRendererServer } from '../../src/render/kustomize/socket/server.ts';
import { createLogger } from '../../src/report/log.ts';
import { refusal } from '../sops/fixtures.ts';

const ABOUT = { kustomize: '5.8.2', network: 'none', resources: 'capped' } as const;

let folder = '';
let stop = new AbortController();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sotto-agent-renderer-'));
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await rm(folder, { recursive: true, force: true });
});

function options(more: Partial<RendererOptions> = {}): RendererOptions {
  return {
    address: undefined,
    tokenFile: undefined,
    searchPath: folder,
    workRoot: folder,
    signal: stop.signal,
    log: createLogger({ stream: { write: () => undefined }, level: 'error' }),
    onChange: () => undefined,
    ...more,
  };
}

describe('the renderer of an agent', () => {
  it('is none where nobody has set one up and PATH has no kustomize', async () => {
    const none = await openRenderer(options());
    expect([none.renderer, none.status()]).toEqual([undefined, undefined]);
    expect(await readdir(folder)).toEqual([]);
  });

  it('is a child process where PATH has a kustomize, in a folder of its own that goes with it', async () => {
    await writeFile(join(folder, 'kustomize'), '#!/bin/sh\necho v5.8.2\n', { mode: 0o755 });
    const changed = Promise.withResolvers<void>();
    const own = await openRenderer(options({ onChange: changed.resolve }));
    await changed.promise;
    expect(own.status()).toMatchObject({ where: 'process', kustomize: '5.8.2', pinned: true });
    expect((await readdir(folder)).filter((name) => name.startsWith('sotto-render-'))).toHaveLength(1);
    await own.close();
    expect(await readdir(folder)).toEqual(['kustomize']);
  });

  it('is asked elsewhere where it is named, also when it starts later, and kustomize in PATH is left alone', async () => {
    await writeFile(join(folder, 'kustomize'), '#!/bin/sh\necho v5.8.2\n', { mode: 0o755 });
    const path = join(folder, 'private', 'socket');
    const changed = Promise.withResolvers<void>();
    const own = await openRenderer(options({ address: `unix:${path}`, onChange: changed.resolve }));
    expect(own.status()).toEqual({ where: 'socket' });
    await using server = await startRendererServer({
      place: { kind: 'unix', path },
      about: ABOUT,
      build: () => Promise.resolve({ kind: 'absent' }),
      onBuilt: () => undefined,
      onDefect: () => undefined,
    });
    await changed.promise;
    expect(own.status()).toEqual({
      where: 'socket',
      kustomize: '5.8.2',
      pinned: true,
      network: 'none',
      resources: 'capped',
    });
    expect(server.port).toBeUndefined();
    await own.close();
  });

  it('must have an address that is one', async () => {
    expect(await refusal(() => openRenderer(options({ address: 'here' })))).toEqual({ code: 'SOTTO-RENDER-061' });
  });

  it('is told in one line, and a version that was not tested stands out', () => {
    expect(rendererLine({ where: 'pod' })).toBe('renderer: pod, has not answered yet');
    expect(rendererLine(statusOfRenderer('socket', ABOUT))).toBe(
      'renderer: socket, kustomize 5.8.2, network none, resources capped',
    );
    expect(
      rendererLine(statusOfRenderer('process', { kustomize: '5.4.3', network: 'shared', resources: 'free' })),
    ).toBe('renderer: process, kustomize 5.4.3 (5.8.2 is the one that was tested), network shared, resources free');
    expect(statusOfRenderer('pod', { ...ABOUT, kustomize: undefined })).toMatchObject({
      kustomize: 'unknown',
      pinned: false,
    });
  });
});
