import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { expect } from 'vitest';
import { run } from '../../src/cli/program.ts';

/**
 * Runs a written-down session of the CLI in a folder of its own. One directive a line:
 *
 *     file NAME            the following `| ` lines are its content
 *     mode NAME 0555       permissions of a file or folder
 *     edit NAME from => to
 *     env NAME=VALUE       for the commands that follow
 *     $ sotto …  [< FILE]  [> FILE]      one command; words may stand in single quotes
 *     > text               the next line of stdout        ! text   the next line of stderr
 *     exit N               what the command ended with (it must be said for every command)
 *     absent NAME          no such file or folder
 *     only FOLDER NAME …   exactly these files and folders are in it
 *     same NAME            the file is as `file` wrote it
 *     has NAME text        the file contains the text      hasnot NAME text
 *     mode? NAME 0640      the file has these permissions
 *
 * `…` in an expected line stands for anything, `${NAME}` for a variable of the test, `#` starts a comment line.
 */
export async function playSession(text: string, variables: Readonly<Record<string, string>> = {}): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sotto-cli-'));
  try {
    const player = new Player(folder);
    const filled = text.replace(/\$\{(\w+)\}/g, (_, name: string) => variables[name] ?? `unknown variable ${name}`);
    for (const [index, line] of filled.split('\n').entries()) await player.play(line, index + 1);
    player.finish();
  } finally {
    chmodSync(folder, 0o700);
    await rm(folder, { recursive: true, force: true });
  }
}

export interface CliResult {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
  readonly terminal?: boolean;
  readonly signal?: AbortSignal;
}

/** One command in this process, with streams of its own. */
export async function sotto(argv: readonly string[], options: CliOptions): Promise<CliResult> {
  const [stdout, stderr] = [collector(), collector()];
  const terminal = options.terminal ?? false;
  const exit = await run(argv, {
    env: options.env ?? {},
    cwd: options.cwd,
    stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
    stdout,
    stderr,
    isTerminal: { stdin: terminal, stdout: terminal, stderr: terminal },
    columns: undefined,
    signal: options.signal ?? new AbortController().signal,
  });
  return { exit, stdout: stdout.text(), stderr: stderr.text() };
}

export function collector(): Writable & { text(): string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      // A copy: the commands wipe what they have written.
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  return Object.assign(stream, { text: () => Buffer.concat(chunks).toString('utf8') });
}

interface Waiting {
  readonly line: number;
  readonly result: CliResult;
  readonly stdout: string[];
  readonly stderr: string[];
  exit: number | undefined;
}

class Player {
  readonly #folder: string;
  readonly #files = new Map<string, string>();
  readonly #env: Record<string, string>;
  #file: string | undefined;
  #waiting: Waiting | undefined;

  constructor(folder: string) {
    this.#folder = folder;
    this.#env = { HOME: folder };
  }

  async play(line: string, number: number): Promise<void> {
    const [word = '', rest = ''] = /^(\S+) ?(.*)$/.exec(line)?.slice(1) ?? [];
    if (word === '' || word === '#') return;
    if (word === '|') return this.#addLine(rest);
    if (word === '$') return this.#command(rest, number);
    if (word === '>') return void this.#current(number).stdout.push(rest);
    if (word === '!') return void this.#current(number).stderr.push(rest);
    if (word === 'exit') return void (this.#current(number).exit = Number(rest));
    this.finish();
    this.#check(word, rest, number);
  }

  /** Compares what the last command printed with what was written down. */
  finish(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) return;
    const { result, line } = waiting;
    const actual = { exit: result.exit, stdout: linesOf(result.stdout), stderr: linesOf(result.stderr) };
    const expected = {
      exit: waiting.exit,
      stdout: unify(waiting.stdout, actual.stdout),
      stderr: unify(waiting.stderr, actual.stderr),
    };
    expect(actual, `command in line ${line}`).toEqual(expected);
  }

  #current(number: number): Waiting {
    if (this.#waiting === undefined) throw new Error(`line ${number}: there is no command before it`);
    return this.#waiting;
  }

  #addLine(content: string): void {
    if (this.#file === undefined) throw new Error('content without file');
    this.#write(this.#file, `${this.#files.get(this.#file) ?? ''}${content}\n`);
  }

  #write(name: string, content: string): void {
    this.#files.set(name, content);
    mkdirSync(dirname(this.#path(name)), { recursive: true });
    writeFileSync(this.#path(name), content);
  }

  async #command(text: string, line: number): Promise<void> {
    this.finish();
    const words = [...text.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
    const [program, ...argv] = words;
    if (program !== 'sotto') throw new Error(`line ${line}: only sotto can be run`);
    const from = takeRedirect(argv, '<');
    const to = takeRedirect(argv, '>');
    const stdin = from === undefined ? '' : readFileSync(this.#path(from), 'utf8');
    const result = await sotto(argv, { cwd: this.#folder, env: { ...this.#env }, stdin });
    if (to !== undefined) this.#write(to, result.stdout);
    const shown = to === undefined ? result : { ...result, stdout: '' };
    this.#waiting = { line, result: shown, stdout: [], stderr: [], exit: undefined };
  }

  #check(word: string, rest: string, number: number): void {
    const [name = '', ...more] = rest.split(' ');
    const expected = more.join(' ');
    const where = `line ${number}: ${word} ${rest}`;
    switch (word) {
      case 'file':
        this.#file = rest;
        return this.#write(rest, '');
      case 'env': {
        const [variable = '', value = ''] = rest.split(/=(.*)/s);
        this.#env[variable] = value;
        return;
      }
      case 'edit': {
        const [from = '', to = ''] = expected.split(' => ');
        expect(this.#read(name), where).toContain(from);
        return this.#write(name, this.#read(name).replace(from, to));
      }
      case 'mode':
        return chmodSync(this.#path(name), Number.parseInt(expected, 8));
      case 'mode?':
        return expect(statSync(this.#path(name)).mode & 0o777, where).toBe(Number.parseInt(expected, 8));
      case 'absent':
        return expect(existsSync(this.#path(name)), where).toBe(false);
      case 'only':
        return expect(readdirSync(this.#path(name)).toSorted(), where).toEqual(more.toSorted());
      case 'same':
        return expect(this.#read(name), where).toBe(this.#files.get(name));
      case 'has':
        return expect(this.#read(name), where).toContain(expected);
      case 'hasnot':
        return expect(this.#read(name), where).not.toContain(expected);
      default:
        throw new Error(`line ${number}: unknown directive ${word}`);
    }
  }

  #read(name: string): string {
    return readFileSync(this.#path(name), 'utf8');
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

function takeRedirect(argv: string[], sign: '<' | '>'): string | undefined {
  const at = argv.indexOf(sign);
  return at === -1 ? undefined : argv.splice(at, 2)[1];
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

/** The expected lines, with the actual one in the place of each that it fits, so that a difference reads well. */
function unify(expected: readonly string[], actual: readonly string[]): string[] {
  return expected.map((line, index) => {
    const pattern = new RegExp(`^${line.split('…').map(escapeRegExp).join('.*')}$`, 's');
    const found = actual[index];
    return found !== undefined && pattern.test(found) ? found : line;
  });
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
