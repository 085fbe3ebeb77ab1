#!/usr/bin/env node
// Nothing is imported statically here: on an older Node the rest could fail to load before this line is printed.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 15)) {
  process.stderr.write(
    `SOTTO-CLI-004: this is Node.js ${process.versions.node} — sotto needs 24.15 or newer — ` +
      'run it with node_modules/.bin/node after npm ci, or install Node.js 24\n',
  );
  process.exitCode = 2;
} else {
  void start();
}

async function start(): Promise<void> {
  const { run } = await import('./cli/program.ts');
  const interruption = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      // Whoever asks twice does not want to wait for a clean end.
      if (interruption.signal.aborted) process.exit(130);
      interruption.abort(name);
    });
  }
  // A reader that went away (`| head`) ends the output, not the program with a stack trace.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => stream.destroy());
  process.exitCode = await run(process.argv.slice(2), {
    env: process.env,
    cwd: process.cwd(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    // Undefined where there is no terminal, which counts as false.
    isTerminal: {
      stdin: process.stdin.isTTY,
      stdout: process.stdout.isTTY,
      stderr: process.stderr.isTTY,
    },
    columns: process.stdout.columns,
    signal: interruption.signal,
  });
}
