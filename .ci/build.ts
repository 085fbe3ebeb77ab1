import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Metafile } from 'esbuild';

// The sources become one CommonJS file: an ES module that imports node:http costs 6 MiB of memory more than a
// CommonJS one that requires it, and the image needs no node_modules (docs/runtime.md).

createRequire(import.meta.url)('./guard.cjs');

const ROOT = path.resolve(import.meta.dirname, '..');
const ENTRY = path.join(ROOT, 'src/main.ts');
const OUTPUT = path.join(ROOT, 'dist/sotto.cjs');

/** Below the `#!` line of the entry, which esbuild keeps. ES modules are strict; CommonJS has to be told. */
const BANNER = `'use strict';\nconst sottoModuleUrl = require('node:url').pathToFileURL(__filename).href;`;

async function build(): Promise<void> {
  const [esbuild, { stubs }, { readDeploy }] = await Promise.all([
    import('esbuild'),
    import('./client-node-stubs.ts'),
    import('../src/cli/install/manifests.ts'),
  ]);
  const deploy = readDeploy((file) => readFileSync(path.join(ROOT, 'deploy', file), 'utf8'));
  const startedMs = performance.now();
  await rm(OUTPUT, { force: true });
  await mkdir(path.dirname(OUTPUT), { recursive: true });
  const { metafile } = await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: [ENTRY],
    outfile: OUTPUT,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    // `using` and its like are lowered, so that an older Node can read the file as far as the check in src/main.ts.
    supported: { using: false },
    // Less text to keep saves 1 MiB of memory. Names stay, so that the frames of a defect can be read.
    minifySyntax: true,
    minifyWhitespace: true,
    lineLimit: 200,
    sourcemap: false,
    legalComments: 'eof',
    // The manifests as a text: an agent, which never asks for them, keeps no objects of them.
    define: { 'import.meta.url': 'sottoModuleUrl', SOTTO_DEPLOY: JSON.stringify(JSON.stringify(deploy)) },
    banner: { js: BANNER },
    // Its short form: every agent holds the text of the bundle.
    alias: { openpgp: path.join(ROOT, 'node_modules/openpgp/dist/node/openpgp.min.cjs') },
    plugins: [stubs],
    metafile: true,
    logLevel: 'warning',
  });
  await chmod(OUTPUT, 0o755);
  print(summary(metafile, performance.now() - startedMs));
}

/** One line for the whole, one for the packages that weigh most. */
function summary(metafile: Metafile, tookMs: number): string {
  const output = Object.values(metafile.outputs)[0];
  const weights = new Map<string, number>();
  for (const [file, { bytesInOutput }] of Object.entries(output?.inputs ?? {})) {
    const owner = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? 'sotto';
    weights.set(owner, (weights.get(owner) ?? 0) + bytesInOutput);
  }
  const heaviest = [...weights].toSorted((a, b) => b[1] - a[1]).slice(0, 8);
  const parts = heaviest.map(([owner, bytes]) => `${owner} ${kib(bytes)}`).join(', ');
  return `${path.relative(ROOT, OUTPUT)}: ${kib(output?.bytes ?? 0)} in ${Math.round(tookMs)} ms\n  ${parts}\n`;
}

function kib(bytes: number): string {
  return `${Math.ceil(bytes / 1024)} KiB`;
}

/** esbuild has already printed what is wrong and where; anything else is a defect of this script. */
function failed(error: unknown): void {
  if (!(error instanceof Error && 'errors' in error)) throw error;
  print('dist/sotto.cjs was not built\n');
  process.exitCode = 1;
}

function print(text: string): void {
  process.stdout.write(text);
}

if (existsSync(ENTRY)) await build().catch(failed);
else print('nothing to build yet: src/main.ts does not exist\n');
