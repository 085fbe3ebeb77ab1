import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { CommanderError } from 'commander';
import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { generatedPages } from '../.ci/docs.ts';
import { COMMANDS, NOT_BUILT_COMMANDS } from '../src/cli/commands.ts';
import type { CommandContext } from '../src/cli/context.ts';
import { buildProgram } from '../src/cli/program.ts';
import { CODES } from '../src/core/codes.ts';
import type { CodeEntry } from '../src/core/codes/entry.ts';
import { arrayAt, isJsonObject, type Json, memberAt, parseJson, stringAt } from '../src/core/json.ts';
import { parseSettings } from '../src/settings/parse.ts';
import { readManifests } from '../src/yaml/manifest.ts';
import { sotto } from './cli/session.ts';
import { schemaErrors } from './settings/json-schema.ts';

const ROOT = join(import.meta.dirname, '..');

const FOLDERS = ['.', 'docs', 'docs/adr', 'deploy', 'keys.example', 'bench'];
const pages = FOLDERS.filter((folder) => existsSync(join(ROOT, folder)))
  .flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => normalize(join(folder, name))))
  .filter((file) => file.endsWith('.md'))
  .map((file) => ({ file, text: read(file) }));

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** `page: match` for every match in every page. */
function matches(pattern: RegExp, isWrong: (match: RegExpExecArray, file: string) => boolean): string[] {
  return pages.flatMap(({ file, text }) =>
    [...text.matchAll(pattern)].filter((match) => isWrong(match, file)).map(([match]) => `${file}: ${match}`),
  );
}

describe('the documentation', () => {
  it('has every page that the others rest on', () => {
    const names =
      'quickstart architecture threat-model settings errors rbac metrics annotations dependencies testing runtime';
    const wanted = names.split(' ').map((name) => `docs/${name}.md`);
    const top = [
      'README.md',
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'SECURITY.md',
      'deploy/README.md',
      'keys.example/README.md',
    ];
    expect([...wanted, ...top].filter((file) => !pages.some((page) => page.file === file))).toEqual([]);
  });

  it('links to what is there', () => {
    const link = /\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g;
    expect(matches(link, ([, target = '', anchor], file) => !isThere(file, target, anchor))).toEqual([]);
  });

  it('is as .ci/docs.ts writes it, where that writes it', async () => {
    const stale = (await generatedPages()).filter(({ file, text }) => read(file) !== text).map(({ file }) => file);
    expect(stale, 'run: node_modules/.bin/node .ci/docs.ts').toEqual([]);
  });

  it('speaks of files that exist', () => {
    const path = /`((?:src|test|docs|deploy|bench|\.ci|keys\.example)\/[\w./-]*\w)`/g;
    expect(matches(path, ([, file = '']) => !existsSync(join(ROOT, file)))).toEqual([]);
  });

  it('names tests that exist, in the words they have', () => {
    const claim = /`(test\/[\w./-]+\.test\.ts)`((?:[ ,\n]*“[^”]+”)+)/g;
    const wrong = pages.flatMap(({ text }) =>
      [...text.matchAll(claim)].flatMap(([, file = '', titles = '']) =>
        [...titles.matchAll(/“([^”]+)”/g)]
          .map(([, title = '']) => title.replaceAll('\n', ' '))
          .filter((title) => !existsSync(join(ROOT, file)) || !read(file).includes(title))
          .map((title) => `${file}: ${title}`),
      ),
    );
    expect(wrong).toEqual([]);
  });

  it('names error codes that exist', () => {
    expect(matches(/SOTTO-[A-Z]+-\d{3}/g, ([code]) => !Object.hasOwn(CODES, code))).toEqual([]);
  });

  it('names commands, flags and scripts that exist', () => {
    const known = [...COMMANDS.map(({ name }) => name), ...NOT_BUILT_COMMANDS];
    expect(matches(/(?:npx |`)sotto ([a-z][\w-]*)/g, ([, name = '']) => !known.includes(name))).toEqual([]);
    const scripts = memberAt(parseJson(read('package.json')), 'scripts');
    const names = isJsonObject(scripts) ? Object.keys(scripts) : [];
    expect(matches(/npm run ([\w-]+)/g, ([, name = '']) => !names.includes(name))).toEqual([]);
  });

  it('shows command lines that the program takes', async () => {
    const lines = [...pages.flatMap(commandLines), ...(await helpLines())];
    expect(lines.length).toBeGreaterThan(40);
    const wrong = await Promise.all(
      lines.map(async ({ from, words }) => {
        const [name = ''] = words;
        if (NOT_BUILT_COMMANDS.has(name)) return [];
        const problem = await parseProblem(words);
        return problem === undefined ? [] : [`${from}: sotto ${words.join(' ')}: ${problem}`];
      }),
    );
    expect(wrong.flat()).toEqual([]);
  });

  it('tells of each code why it happens and what to do', () => {
    const thin = Object.entries<CodeEntry>(CODES).filter(
      ([, { title, explain }]) => title.endsWith('.') || !explain.endsWith('.') || explain.length < MIN_EXPLANATION,
    );
    expect(thin.map(([code]) => code)).toEqual([]);
  });

  it('shows settings that this version takes', () => {
    const examples = pages.flatMap(({ file, text }) =>
      [...text.matchAll(/```yaml\n(apiVersion: sotto\.dev[\s\S]*?)```/g)].map(([, yaml = '']) => ({ file, yaml })),
    );
    expect(examples.length).toBeGreaterThan(1);
    expect(examples.filter(({ file, yaml }) => !parseSettings(yaml, file).ok).map(({ file }) => file)).toEqual([]);
    const schema = parseJson(read('docs/settings.schema.json'));
    expect(examples.flatMap(({ yaml }) => schemaErrors(schema, load(yaml)))).toEqual([]);
  });

  it('holds nothing that a merge left behind', () => {
    expect(pages.filter(({ text }) => /^(?:<{7}|={7}|>{7})(?: |$)/m.test(text)).map(({ file }) => file)).toEqual([]);
  });

  it('speaks of sotto alone: no paths of a machine, no registry hosts', () => {
    const foreign =
      /(?:^|[\s(`])\/(?:work|root|home)\/|\b(?:docker\.io|ghcr\.io|quay\.io|gcr\.io|registry\.\w+|npmjs)\b/g;
    expect(matches(foreign, () => true)).toEqual([]);
  });
});

describe('deploy/rights/role.yaml', () => {
  const [role] = readManifests(read('deploy/rights/role.yaml'), 'role.yaml').map(({ value }) => value);
  const rules = arrayAt(role, 'rules');
  const verbsOf = (resource: string): readonly Json[] =>
    rules.filter((rule) => arrayAt(rule, 'resources').includes(resource)).flatMap((rule) => arrayAt(rule, 'verbs'));

  it('names kinds and verbs one by one, and none that gives rights to others', () => {
    const words = rules.flatMap((rule) => ['apiGroups', 'resources', 'verbs'].flatMap((field) => arrayAt(rule, field)));
    expect(words).not.toContain('*');
    expect(words).not.toContain('rbac.authorization.k8s.io');
    expect(stringAt(role, 'kind')).toBe('Role');
  });

  it('lets only the inventory’s kind be replaced whole', () => {
    expect(verbsOf('configmaps')).toContain('update');
    expect(rules.filter((rule) => arrayAt(rule, 'verbs').includes('update'))).toHaveLength(1);
    // Looked at, never written.
    expect(verbsOf('pods')).toEqual(['get', 'list', 'watch']);
    expect(verbsOf('replicasets')).toEqual(['list', 'watch']);
  });
});

function isThere(from: string, target: string, anchor: string | undefined): boolean {
  const file = target === '' ? from : normalize(join(dirname(from), target));
  if (!existsSync(join(ROOT, file))) return false;
  return anchor === undefined || !file.endsWith('.md') || anchorsOf(read(file)).includes(anchor);
}

/** Shorter ones say what the title says. */
const MIN_EXPLANATION = 80;

interface CommandLine {
  readonly from: string;
  readonly words: readonly string[];
}

/** In fenced blocks and in `code`; of `[PATH]` and `[--once]` the brackets are left out. */
function commandLines({ file, text }: { readonly file: string; readonly text: string }): CommandLine[] {
  const fenced = [...text.matchAll(/^```(?:\w*)\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) =>
    [...block.matchAll(/^(?:\$ )?(?:npx )?sotto (?!\w+:)(.+)$/gm)].map(([, line = '']) => line),
  );
  // A command alone is its name, and what ends in a colon is a heading.
  const inline = [...text.matchAll(/`(?:npx )?sotto ([^`\n]+ [^`\n]+)`/g)].map(([, line = '']) => line);
  return [...fenced, ...inline].map((line) => ({ from: file, words: wordsOf(line) }));
}

async function helpLines(): Promise<CommandLine[]> {
  const all = await Promise.all(
    COMMANDS.map(async ({ name }) => {
      const { stdout } = await sotto([name, '--help'], { cwd: ROOT });
      const examples = stdout.slice(Math.max(0, stdout.indexOf('\nExamples:')));
      const found = [...examples.matchAll(/^ {2}(?:\S.*\| )?sotto (.+)$/gm)].map(([, line = '']) => line);
      return found.map((line) => ({ from: `sotto ${name} --help`, words: wordsOf(line) }));
    }),
  );
  return all.flat();
}

/** Up to a comment, a redirection, another command, or words about it. */
function wordsOf(line: string): string[] {
  const command = line.split(/ {2,}|\s(?:#|>|<|\||&&)/, 1)[0] ?? '';
  const quoted = command.replaceAll(/[[\]]/g, '').matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g);
  return [...quoted].map(([, single, double, plain]) => single ?? double ?? plain ?? '').filter((word) => word !== '…');
}

/** What the parser says against it; nothing is run. */
async function parseProblem(words: readonly string[]): Promise<string | undefined> {
  const program = await buildProgram(words, silentContext());
  for (const command of program.commands) {
    // `rotate` is a command of its own besides those below it.
    if (command.commands.length === 0 || command.name() === 'rotate') command.action(() => undefined);
    for (const below of command.commands) below.action(() => undefined);
  }
  try {
    await program.parseAsync([...words], { from: 'user' });
    return undefined;
  } catch (thrown) {
    const isHelp = thrown instanceof CommanderError && thrown.exitCode === 0;
    return isHelp ? undefined : String(thrown);
  }
}

function silentContext(): CommandContext {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  return {
    env: {},
    cwd: ROOT,
    stdin: Readable.from([]),
    stdout: nowhere,
    stderr: nowhere,
    isTerminal: { stdin: false, stdout: false, stderr: false },
    columns: undefined,
    signal: new AbortController().signal,
    exitWith: () => undefined,
  };
}

/** As Git hosts make them of headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
