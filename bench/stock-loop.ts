import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KustomizedContent } from './overlays.ts';
import { outputOf } from './repository.ts';
import type { Ground } from './world.ts';

/** The bare loop: for each overlay, its encrypted files decrypted to the disk with `sops -d`, then `kustomize build`. */
export async function stockLoop({ tools, key }: Ground, content: KustomizedContent, checkout: string): Promise<void> {
  const plain = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sotto-bench-'));
  const decrypt = async (path: string): Promise<void> => {
    const text = await outputOf(tools.sops, ['decrypt', join(checkout, path)], '', { SOPS_AGE_KEY: key.identity });
    await writeFile(join(plain, path), text);
  };
  try {
    await cp(checkout, plain, { recursive: true });
    for (const overlay of content.overlays) {
      await decrypt('base/secret.yaml');
      await decrypt(`${overlay}/app.env`);
      await outputOf(tools.kustomize, ['build', join(plain, overlay)]);
    }
  } finally {
    await rm(plain, { recursive: true, force: true });
  }
}

/** The quickest way to the same with the stock tools: every file decrypted once, one build of everything. */
export async function stockOnce({ tools, key }: Ground, content: KustomizedContent, checkout: string): Promise<void> {
  const plain = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sotto-bench-'));
  try {
    await cp(checkout, plain, { recursive: true });
    for (const path of ['base/secret.yaml', ...content.overlays.map((overlay) => `${overlay}/app.env`)]) {
      const text = await outputOf(tools.sops, ['decrypt', join(checkout, path)], '', { SOPS_AGE_KEY: key.identity });
      await writeFile(join(plain, path), text);
    }
    await outputOf(tools.kustomize, ['build', join(plain, 'deploy')]);
  } finally {
    await rm(plain, { recursive: true, force: true });
  }
}
