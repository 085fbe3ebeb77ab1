import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isolatedGitEnv } from '../src/demo/git-repository.ts';
import { encryptFile } from '../src/sops/encrypt-file.ts';
import type { WholeFormat } from '../src/sops/scalar.ts';
import type { AgentProgram } from './agent-process.ts';
import { newAgeKeyPair, type SopsTools } from './repository.ts';

const VALUES = 10;

/** A repository rotated by sotto, and the same one by a shell loop over stock sops. */
export async function benchRotate(tools: SopsTools, program: AgentProgram, files: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sotto-bench-rotate-'));
  try {
    const [old, made] = [await newAgeKeyPair(tools), await newAgeKeyPair(tools)];
    const root = join(folder, 'ours');
    const env = {
      ...isolatedGitEnv(folder, process.env['PATH'] ?? ''),
      SOPS_AGE_KEY: `${old.identity}\n${made.identity}`,
    };
    const git = (where: string, ...args: readonly string[]): string =>
      execFileSync('git', ['-C', where, ...args], { env, encoding: 'utf8', maxBuffer: 1024 ** 3 });
    mkdirSync(root);
    git(root, 'init', '-q', '-b', 'main');
    writeFileSync(join(folder, 'old.txt'), old.identity);
    writeFileSync(join(folder, 'new.txt'), made.identity);
    writeFileSync(join(root, '.sops.yaml'), `creation_rules:\n- age: ${old.recipient}\n`);
    for (let at = 0; at < files; at += 1) {
      const [name, format, text] = clearFile(at);
      const options = { format, file: name, recipients: [old.recipient], now: new Date() };
      writeFileSync(join(root, name), await encryptFile(Buffer.from(text), options));
    }
    git(root, 'add', '-A');
    git(root, 'commit', '-q', '-m', 'first');
    const theirs = join(folder, 'theirs');
    cpSync(root, theirs, { recursive: true });

    const ours = timed(() => {
      const args = ['rotate', '--key-file', join(folder, 'old.txt'), '--new-key', join(folder, 'new.txt'), '--yes'];
      execFileSync(process.execPath, [program.path, ...args], { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'] });
    });
    const loop = timed(() => {
      const rules = join(theirs, '.sops.yaml');
      writeFileSync(rules, readFileSync(rules, 'utf8').replace(old.recipient, made.recipient));
      const script = 'for f in f*; do "$SOPS" updatekeys -y "$f" && "$SOPS" rotate -i "$f" || exit 1; done';
      execFileSync('sh', ['-c', script], {
        cwd: theirs,
        env: { ...env, SOPS: tools.sops },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
    });
    git(theirs, 'commit', '-q', '-a', '-m', 'rotated');
    const [oursLines, theirLines] = [root, theirs].map((where) =>
      lines(git(where, 'diff', '--numstat', 'HEAD^', 'HEAD')),
    );
    return (
      `Rotating ${files} SOPS files of ${VALUES} values (YAML, JSON, env) for another age key, with new data keys\n` +
      `  sotto rotate, committed                    ${(ours / 1000).toFixed(1).padStart(8)} s   ${String(oursLines).padStart(8)} lines of diff\n` +
      `  sops updatekeys + sops rotate in a loop    ${(loop / 1000).toFixed(1).padStart(8)} s   ${String(theirLines).padStart(8)} lines of diff\n` +
      `  sotto is ${(loop / ours).toFixed(1)} times as fast\n`
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

/** Comments, quotes and an order of its own: what a formatter would go over. */
function clearFile(at: number): readonly [string, WholeFormat, string] {
  const values = Array.from({ length: VALUES }, (_, index) => [`key${index}`, `value ${index} of file ${at}`] as const);
  if (at % 3 === 1) return [`f${at}.json`, 'json', `${JSON.stringify(Object.fromEntries(values), undefined, 2)}\n`];
  if (at % 3 === 2) return [`f${at}.env`, 'dotenv', values.map(([key, value]) => `${key}=${value}\n`).join('')];
  const text = values.map(([key, value]) => `  ${key}: "${value}"   # of ${key}\n`).join('');
  return [`f${at}.yaml`, 'yaml', `# file ${at}\nkind: Secret\nmetadata: {name: f${at}}\nstringData:\n${text}`];
}

/** Added and removed, as `git diff --numstat` counts them. */
function lines(numstat: string): number {
  return numstat.split('\n').reduce((sum, line) => {
    const [added, removed] = line.split('\t').map(Number);
    return sum + (added ?? 0) + (removed ?? 0);
  }, 0);
}
