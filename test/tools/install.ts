import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findOrBuildTools, isToolName, toolNames } from '../../src/demo/tools.ts';
import type { ToolName } from '../../src/demo/tools.ts';
import { NEEDED_TOOLS } from '../harness/needed-tools.ts';
import { progressPrinter } from './progress.ts';

/** `node test/tools/install.ts [--all | name…]`: finds or builds the tools (those that tests need) and prints where they are. */
const { positionals, values } = parseArgs({ allowPositionals: true, options: { all: { type: 'boolean' } } });
const unknown = positionals.filter((name) => !isToolName(name));
if (unknown.length > 0) {
  process.stderr.write(`unknown tool: ${unknown.join(', ')}\nknown: ${toolNames().join(', ')}\n`);
  process.exit(2);
}
const byDefault = values.all === true ? toolNames() : NEEDED_TOOLS;
const wanted: readonly ToolName[] = positionals.length === 0 ? byDefault : positionals.filter(isToolName);
const packageRoot = join(import.meta.dirname, '..', '..');
const { paths, missing } = await findOrBuildTools(wanted, {
  packageRoot,
  env: process.env,
  onProgress: progressPrinter(process.stderr),
});
for (const [name, path] of paths) process.stdout.write(`${name}\t${path}\n`);
if (missing.length > 0) {
  process.stderr.write(`missing, and Go is not there to build them: ${missing.join(', ')}\n`);
  process.exit(1);
}
