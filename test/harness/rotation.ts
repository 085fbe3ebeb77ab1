import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isolatedGitEnv } from '../../src/demo/git-repository.ts';
import { type CliResult, sotto } from '../cli/session.ts';
import { CLEAR_FILES, encryptByStock, openByStock, writeAll } from './sealed-repository.ts';
import { type SealingKeySecret, sealingKeySecret } from './sealing-key.ts';
import { type AgeKeyPair, newAgeKeyPair, stockOutput } from './stock.ts';

/** A repository with a remote, in which everything is encrypted for one age key and one sealing key. */
export interface Rotating extends Disposable {
  readonly folder: string;
  /** The checkout. */
  readonly root: string;
  readonly remote: string;
  readonly old: AgeKeyPair;
  readonly env: Readonly<Record<string, string>>;
  readonly oldSealing: SealingKeySecret;
  readonly newSealing: SealingKeySecret;
  readonly git: (...args: readonly string[]) => string;
  readonly gitIn: (folder: string, ...args: readonly string[]) => string;
  readonly run: (...argv: readonly string[]) => Promise<CliResult>;
  readonly read: (path: string) => string;
  readonly write: (path: string, content: string) => void;
  /** In the folder above the checkout: key files and the like. */
  readonly outside: (name: string) => string;
}

export const SOPS_NAMES = Object.keys(CLEAR_FILES);
export const SEALED_NAME = 'deploy/sealed.yaml';

export interface RotatingOptions {
  readonly files?: Readonly<Record<string, string>>;
  readonly rules?: (recipient: string) => string;
}

/** Signs as whoever runs git here: no configuration of theirs. */
export async function rotating({ files = CLEAR_FILES, rules }: RotatingOptions = {}): Promise<Rotating> {
  const folder = mkdtempSync(join(tmpdir(), 'sotto-rotate-'));
  const root = join(folder, 'app');
  const remote = join(folder, 'remote.git');
  const old = await newAgeKeyPair();
  const [oldSealing, newSealing] = [await sealingKeySecret('old'), await sealingKeySecret('new')];
  const env = Object.fromEntries(
    Object.entries(isolatedGitEnv(folder, process.env['PATH'] ?? '')).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
  const gitIn = (where: string, ...args: readonly string[]): string =>
    execFileSync('git', ['-C', where, ...args], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  mkdirSync(root);
  execFileSync('git', ['init', '-q', '--bare', '-b', 'main', remote], { env });
  gitIn(root, 'init', '-q', '-b', 'main');
  gitIn(root, 'remote', 'add', 'origin', remote);
  writeFileSync(join(folder, 'old.txt'), `${old.identity}\n`);
  writeFileSync(
    join(folder, 'sealing.json'),
    JSON.stringify({ kind: 'List', items: [oldSealing.secret, newSealing.secret] }),
  );
  writeFileSync(join(folder, 'old.pem'), oldSealing.certificatePem);
  writeFileSync(join(folder, 'new.pem'), newSealing.certificatePem);
  writeAll(root, {
    ...files,
    '.sops.yaml': (rules ?? ((recipient) => `creation_rules:\n- age: ${recipient} # the agent\n`))(old.recipient),
    'README.md': 'about sops: and SealedSecret of bitnami.com/ things\n',
  });
  await encryptByStock(root, Object.keys(files));
  const run = (...argv: readonly string[]): Promise<CliResult> => sotto(argv, { cwd: root, env });
  const made: Rotating = {
    folder,
    root,
    remote,
    old,
    env,
    oldSealing,
    newSealing,
    git: (...args) => gitIn(root, ...args),
    gitIn,
    run,
    read: (path) => readFileSync(join(root, path), 'utf8'),
    write: (path, content) => writeAll(root, { [path]: content }),
    outside: (name) => join(folder, name),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
  return made;
}

const SECRETS = ['one', 'two'].map(
  (name) =>
    `apiVersion: v1\nkind: Secret\nmetadata: {name: ${name}, namespace: team}\nstringData: {password: "of ${name}", empty: ""}\n`,
);

/** Sealed by stock kubeseal, with a comment at the top of each document. */
export async function sealByStock({ write, outside, folder }: Rotating): Promise<void> {
  const documents: string[] = [];
  for (const [index, text] of SECRETS.entries()) {
    const scope = index === 0 ? 'strict' : 'cluster-wide';
    const args = ['--cert', outside('old.pem'), '--scope', scope, '--format', 'yaml'];
    const sealed = (await stockOutput('kubeseal', args, { stdin: text, cwd: folder })).toString();
    documents.push(`# number ${index}\n${sealed.replace(/^---\n/, '').trimEnd()}\n`);
  }
  write(SEALED_NAME, documents.join('---\n'));
}

export function commitAll({ git }: Rotating, message = 'first'): string {
  git('add', '-A');
  git('commit', '-q', '-m', message);
  git('push', '-q', '-u', 'origin', 'main');
  return git('rev-parse', 'HEAD').trim();
}

/** What stock sops opens with one identity alone, by file. */
export async function openedByStock(
  root: string,
  names: readonly string[],
  identity: string,
): Promise<Map<string, string | undefined>> {
  const found = new Map<string, string | undefined>();
  for (const name of names) found.set(name, (await openByStock(root, name, identity))?.toString('latin1'));
  return found;
}

/** The identity in a key file. */
export function identityIn(path: string): string {
  const found = /AGE-SECRET-KEY-1[0-9A-Z]+/.exec(readFileSync(path, 'utf8'))?.[0];
  if (found === undefined) throw new Error(`${path} holds no identity`);
  return found;
}

/** What needs no key: an entry for one recipient once more, under the name of another. */
export function withNameIn(text: string, recipient: string, name: string): string {
  const entry = / {8}- (?:enc|recipient):[\s\S]*?(?=\n {4}\w)/.exec(text)?.[0] ?? '';
  if (!entry.includes(recipient)) throw new Error(`no entry for ${recipient}`);
  return text.replace(entry, `${entry}\n${entry.replace(recipient, name)}`);
}
