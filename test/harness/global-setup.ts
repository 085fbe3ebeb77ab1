import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startControlPlane } from '../../src/demo/control-plane.ts';
import type { ControlPlaneAccess } from '../../src/demo/control-plane.ts';
import { findOrBuildTools, ToolsMissing } from '../../src/demo/tools.ts';
import type { ToolName } from '../../src/demo/tools.ts';
import { progressPrinter } from '../tools/progress.ts';
import { NEEDED_TOOLS } from './needed-tools.ts';
import { SIDE_BY_SIDE } from './side-by-side.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** One for each test file that runs at the same time; none where its programs are missing. */
    controlPlanes: readonly ControlPlaneAccess[];
    /** Where each tool is; one that could not be had is not in it. */
    tools: Partial<Record<ToolName, string>>;
  }
}

/** Once per test run: the tools are there, and a control plane for each worker is up until the end. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const packageRoot = join(import.meta.dirname, '..', '..');
  const onProgress = progressPrinter(process.stderr);
  const { paths, missing } = await findOrBuildTools(NEEDED_TOOLS, { packageRoot, env: process.env, onProgress });
  if (missing.length > 0 && process.env['CI'] === 'true') throw new ToolsMissing(missing);
  project.provide('tools', Object.fromEntries(paths));
  const [apiserver, etcd] = [paths.get('kube-apiserver'), paths.get('etcd')];
  if (apiserver === undefined || etcd === undefined) {
    project.provide('controlPlanes', []);
    return () => Promise.resolve();
  }
  const planes = await Promise.all(
    Array.from({ length: SIDE_BY_SIDE }, () => startControlPlane({ programs: { 'kube-apiserver': apiserver, etcd } })),
  );
  project.provide(
    'controlPlanes',
    planes.map(({ access }) => access),
  );
  return async () => void (await Promise.all(planes.map((plane) => plane.stop())));
}
