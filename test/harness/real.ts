import { describe, inject } from 'vitest';
import type { ToolName } from '../../src/demo/tools.ts';

/** The program of a tool that the suite has named in `describeReal`. */
export function toolPath(tool: ToolName): string {
  const path = inject('tools')[tool];
  if (path === undefined) throw new Error(`${tool} is not there: name it in describeReal`);
  return path;
}

/** A suite that runs against real programs. Where one is missing it is reported as skipped, by name; CI never skips. */
export function describeReal(name: string, tools: readonly ToolName[], suite: () => void): void {
  const found = inject('tools');
  const missing = tools.filter((tool) => found[tool] === undefined);
  if (missing.length === 0) describe(name, suite);
  else describe.skip(`${name} (needs ${missing.join(', ')})`, suite);
}
