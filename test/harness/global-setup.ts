import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startControlPlane } from '../../src/demo/control-plane.ts';
import type { ControlPlaneAccess } from '../../src/demo/control-plane.ts';
import { findOrBuildTools, ToolsMissing } from '../../src/demo/tools.ts';
import type { ToolName } from '../../src/demo/tools.ts';
import { progressPrinter } from '../tools/progress.ts';
import { NEEDED_TOOLS } from './needed-tools.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The shared control plane, or null where its programs are missing. */
    controlPlane: ControlPlaneAccess | null;
    /** Where each tool is; one that could not be had is not in it. */
    tools: Partial<Record<ToolName, string>>;
  }
}

/** Once per test run: the tools are there, and one control plane is up until the end. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const packageRoot = join(import.meta.dirname, '..', '..');
  const onProgress = progressPrinter(process.stderr);
  const { paths, missing } = await findOrBuildTools(NEEDED_TOOLS, { packageRoot, env: process.env, onProgress });
  if (missing.length > 0 && process.env['CI'] === 'true') throw new ToolsMissing(missing);
  project.provide('tools', Object.fromEntries(paths));
  const [apiserver, etcd] = [paths.get('kube-apiserver'), paths.get('etcd')];
  if (apiserver === undefined || etcd === undefined) {
    project.provide('controlPlane', null);
    return () => Promise.resolve();
  }
  const plane = await startControlPlane({ programs: { 'kube-apiserver': apiserver, etcd } });
  project.provide('controlPlane', plane.access);
  return () => plane.stop();
}
