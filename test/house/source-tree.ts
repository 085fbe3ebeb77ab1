import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** One file of src/ as the architecture tests see it. */
export interface SourceFile {
  /** `src/open/open.ts`. */
  readonly path: string;
  /** `open`; `main` for src/main.ts. */
  readonly room: string;
  readonly lines: number;
  readonly text: string;
  /** Without comments, and without what stands in strings and regular expressions. */
  readonly code: string;
  readonly imports: readonly Import[];
}

export interface Import {
  /** A file of src/, or a package as it is written. */
  readonly target: string;
  readonly local: boolean;
  /** Erased before it runs: `import type`, or only `type` names in the braces. */
  readonly typeOnly: boolean;
  readonly dynamic: boolean;
}

const ROOT = path.resolve(import.meta.dirname, '../..');

export function sourceTree(): readonly SourceFile[] {
  const files = readdirSync(path.join(ROOT, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => path.relative(ROOT, path.join(entry.parentPath, entry.name)));
  return files.toSorted().map((file) => readSource(file, readFileSync(path.join(ROOT, file), 'utf8')));
}

export function readSource(file: string, text: string): SourceFile {
  const [, first = '', second] = file.split('/');
  return {
    path: file,
    room: second === undefined ? path.basename(first, '.ts') : first,
    lines: text.split('\n').length - 1,
    text,
    code: codeOf(text),
    imports: importsOf(file, text),
  };
}

const COMMENT = String.raw`\/\*[\s\S]*?\*\/|\/\/[^\n]*`;
const STRING = String.raw`'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"`;
const TEMPLATE = String.raw`\`(?:\\.|[^\`\\])*\``;
// A slash begins a regular expression only where an expression may begin.
const REGEXP = String.raw`(?<=(?:[=(,:[!&|?{};\n]|return)\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*`;
const TOKEN = new RegExp(`${COMMENT}|${STRING}|${TEMPLATE}|${REGEXP}`, 'g');

function codeOf(text: string): string {
  return text.replace(TOKEN, (token) => {
    if (token.startsWith('/*') || token.startsWith('//')) return token.replace(/[^\n]/g, '');
    if (token.startsWith('`')) return `\`${[...token.matchAll(/\$\{[^}]*\}/g)].map(([hole]) => hole).join('')}\``;
    return "''";
  });
}

const STATIC = /^(import|export)\s+(type\s)?([^'"`;()=]*?)\bfrom\s+'([^']+)'/gm;
const FOR_EFFECT = /^import\s+'([^']+)'/gm;
const DYNAMIC = /\bimport\(\s*'([^']+)'\s*,?\s*\)/g;

function importsOf(file: string, text: string): readonly Import[] {
  const withoutComments = text.replace(TOKEN, (token) => (/^\/[/*]/.test(token) ? '' : token));
  const made = (target: string, typeOnly: boolean, dynamic: boolean): Import => {
    const local = target.startsWith('.');
    return { target: local ? path.join(path.dirname(file), target) : target, local, typeOnly, dynamic };
  };
  return [
    ...[...withoutComments.matchAll(STATIC)].map(([, , type, names = '', target = '']) =>
      made(target, type !== undefined || onlyTypes(names), false),
    ),
    ...[...withoutComments.matchAll(FOR_EFFECT)].map(([, target = '']) => made(target, false, false)),
    ...[...withoutComments.matchAll(DYNAMIC)].map(([, target = '']) => made(target, false, true)),
  ];
}

function onlyTypes(names: string): boolean {
  const inBraces = /^\s*\{([^}]*)\}\s*$/.exec(names)?.[1];
  if (inBraces === undefined) return false;
  return inBraces
    .split(',')
    .filter((name) => name.trim() !== '')
    .every((name) => name.trim().startsWith('type '));
}

/** The shortest cycle through each file that is in one, every cycle once. */
export function findCycles(files: readonly SourceFile[]): readonly string[] {
  const edges = new Map(files.map((file) => [file.path, file.imports.filter((each) => each.local)]));
  const next = (file: string): readonly string[] => (edges.get(file) ?? []).map((each) => each.target);
  const cycles = new Map<string, string>();
  for (const { path: start } of files) {
    const cycle = wayBack(start, next);
    const members = cycle?.toSorted().join();
    if (cycle !== undefined && members !== undefined && !cycles.has(members)) cycles.set(members, cycle.join(' → '));
  }
  return [...cycles.values()];
}

/** Breadth first from `start` until it comes round again. */
function wayBack(start: string, next: (file: string) => readonly string[]): readonly string[] | undefined {
  const trails: string[][] = [[start]];
  const seen = new Set<string>();
  for (const trail of trails) {
    for (const target of next(trail.at(-1) ?? start)) {
      if (target === start) return trail;
      if (seen.has(target)) continue;
      seen.add(target);
      trails.push([...trail, target]);
    }
  }
  return undefined;
}
