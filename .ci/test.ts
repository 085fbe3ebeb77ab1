import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { arrayAt, numberAt, parseJson, stringAt } from '../src/core/json.ts';
import type { Json } from '../src/core/json.ts';
import { compareVersions } from '../src/demo/tool-list.ts';
import { findOrBuildTools } from '../src/demo/tools.ts';
import { NEEDED_TOOLS } from '../test/harness/needed-tools.ts';
import { progressPrinter } from '../test/tools/progress.ts';

/**
 * `npm test` runs everything; `npm test -- test/sops` runs only vitest, with these arguments.
 * The last line is always `N passed, N failed`. With CI=true a skipped test is a failure.
 */
const root = join(import.meta.dirname, '..');
const inCi = process.env['CI'] === 'true';

interface TestCounts {
  readonly passed: number;
  readonly failed: number;
}

async function main(vitestArgs: readonly string[]): Promise<TestCounts> {
  const failedChecks: string[] = [];
  const check = async (name: string, run: () => Promise<boolean>): Promise<void> => {
    const startedMs = performance.now();
    print(`— ${name}`);
    const passed = await run();
    print(`— ${name}: ${passed ? 'ok' : 'FAILED'}, ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`);
    if (!passed) failedChecks.push(name);
  };
  if (vitestArgs.length === 0) {
    await check('node version', () => Promise.resolve(isNodeNewEnough()));
    await check('format and lint', () => runs('npm', ['run', '--silent', 'lint']));
    await check('types', () => runs('npm', ['run', '--silent', 'types']));
    await check('tools', areToolsThere);
    if (existsSync(join(root, '.ci', 'build.ts'))) {
      await check('bundle', () => runs(process.execPath, [join('.ci', 'build.ts')]));
    }
  }
  let counts: TestCounts = { passed: 0, failed: 0 };
  await check('tests', async () => {
    counts = await runVitest(vitestArgs);
    return counts.failed === 0 && counts.passed > 0;
  });
  // Failed tests are counted one by one; any other check that failed is one failure.
  const others = failedChecks.filter((name) => name !== 'tests' || counts.failed === 0);
  if (failedChecks.length > 0) print(`failed: ${failedChecks.join(', ')}`);
  return { passed: counts.passed, failed: counts.failed + others.length };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function isNodeNewEnough(): boolean {
  const wanted = stringAt(parseJson(readFileSync(join(root, 'package.json'), 'utf8')), 'engines', 'node') ?? '';
  print(`node ${process.version}, wanted ${wanted}`);
  return compareVersions(process.version, `${wanted}.0`) >= 0;
}

async function areToolsThere(): Promise<boolean> {
  const { missing } = await findOrBuildTools(NEEDED_TOOLS, {
    packageRoot: root,
    env: process.env,
    onProgress: progressPrinter(process.stderr),
  });
  if (missing.length === 0) return true;
  print(`not found, and Go is not there to build them: ${missing.join(', ')}`);
  print('tests that need them are skipped');
  return !inCi;
}

function runs(program: string, args: readonly string[]): Promise<boolean> {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code === 0));
  });
}

async function runVitest(args: readonly string[]): Promise<TestCounts> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-test-report-'));
  try {
    const report = join(folder, 'report.json');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const succeeded = await runs(process.execPath, [vitestProgram(), 'run', ...reporters, ...args]);
    if (!existsSync(report)) return { passed: 0, failed: 1 };
    return countTests(parseJson(readFileSync(report, 'utf8')), succeeded);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function vitestProgram(): string {
  return join(root, 'node_modules', 'vitest', 'vitest.mjs');
}

/** A file that cannot be loaded, or an error outside of all tests, has no failed test and is a failure all the same. */
function countTests(report: Json, succeeded: boolean): TestCounts {
  const passed = numberAt(report, 'numPassedTests') ?? 0;
  const skipped = skippedTests(report);
  if (skipped.length > 0) print(`skipped:\n${skipped.map((name) => `  ${name}`).join('\n')}`);
  const brokenFiles = arrayAt(report, 'testResults').filter(isBrokenFile).length;
  const failed = (numberAt(report, 'numFailedTests') ?? 0) + brokenFiles + (inCi ? skipped.length : 0);
  return { passed, failed: failed === 0 && !succeeded ? 1 : failed };
}

function isBrokenFile(file: Json): boolean {
  const hasFailedTest = arrayAt(file, 'assertionResults').some((result) => stringAt(result, 'status') === 'failed');
  return stringAt(file, 'status') === 'failed' && !hasFailedTest;
}

function skippedTests(report: Json): readonly string[] {
  return arrayAt(report, 'testResults').flatMap((file) =>
    arrayAt(file, 'assertionResults')
      .filter((result) => ['skipped', 'pending', 'todo'].includes(stringAt(result, 'status') ?? ''))
      .map((result) => stringAt(result, 'fullName') ?? ''),
  );
}

const { passed, failed } = await main(process.argv.slice(2));
print(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
