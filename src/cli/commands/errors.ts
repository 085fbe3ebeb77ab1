import type { Command } from 'commander';
import { AREAS, type Code, CODES } from '../../core/codes.ts';
import type { CodeEntry } from '../../core/codes/entry.ts';
import { SottoError } from '../../core/errors.ts';
import { nearest } from '../../settings/nearest.ts';
import type { CommandContext } from '../context.ts';
import { exitOf } from '../exit-codes.ts';
import { outputOption } from '../options.ts';
import { table, writeData } from '../output.ts';
import { type Paint, paintFor } from '../terminal.ts';

interface ErrorsFlags {
  readonly output?: 'json';
}

const EXAMPLES = `
Every message of sotto begins with a code. Without one all codes are listed; the first part may be left out.

Examples:
  sotto errors
  sotto errors SOTTO-SOPS-001
  sotto errors git-006`;

export function register(program: Command, context: CommandContext): void {
  program
    .command('errors')
    .description('what an error code means and what to do')
    .argument('[code]', 'a code; without it all are listed')
    .addOption(outputOption(['json'], 'print as JSON'))
    .addHelpText('after', EXAMPLES)
    .action((typed: string | undefined, flags: ErrorsFlags) =>
      writeData(context, typed === undefined ? listed(flags) : page(codeOf(typed), flags, paintFor(context, 'stdout'))),
    );
}

const ALL: readonly (readonly [Code, CodeEntry])[] = (Object.keys(CODES) as Code[])
  .toSorted()
  .map((code) => [code, CODES[code]]);

function listed(flags: ErrorsFlags): string {
  if (flags.output === 'json') return `${JSON.stringify(ALL.map(([code, entry]) => shape(code, entry)))}\n`;
  return Object.entries(AREAS)
    .map(([area, title]) => {
      const rows = ALL.filter(([code]) => code.startsWith(`SOTTO-${area}-`)).map(([code, entry]) => [
        code,
        entry.title,
      ]);
      return table([area, title.toUpperCase()], rows);
    })
    .join('\n');
}

function page(code: Code, flags: ErrorsFlags, paint: Paint): string {
  const entry: CodeEntry = CODES[code];
  if (flags.output === 'json') return `${JSON.stringify(shape(code, entry))}\n`;
  const example = entry.example === undefined ? '' : `\n${indented(entry.example)}\n`;
  const exit = `A command that is stopped by it ends with exit code ${exitOf(code)}.`;
  return `${paint('bold', `${code}: ${entry.title}`)}\n\n${wrapped(entry.explain)}\n${example}\n${exit}\n`;
}

function shape(code: Code, { title, explain, example }: CodeEntry) {
  return { code, title, explain, example, exit: exitOf(code) };
}

/** As it was typed, in any case, `SOTTO-` left out or not. Throws SOTTO-CLI-083. */
function codeOf(typed: string): Code {
  const upper = typed.toUpperCase();
  const whole = /^[^-]+-[^-]+-/.test(upper) ? upper : `SOTTO-${upper}`;
  const found = ALL.find(([code]) => code === whole);
  if (found !== undefined) return found[0];
  const area = /^SOTTO-[A-Z]+-/.exec(whole)?.[0] ?? '';
  const ofArea = ALL.map(([code]) => code).filter((code) => code.startsWith(area));
  const meant = nearest(whole, ofArea.length > 0 ? ofArea : ALL.map(([code]) => code));
  throw new SottoError({
    code: 'SOTTO-CLI-083',
    what: `there is no error code ${whole.slice(0, 40)}`,
    why: meant === undefined ? 'this version of sotto has none of that name' : `the nearest one is ${meant}`,
    next: meant === undefined ? 'sotto errors' : `sotto errors ${meant}`,
  });
}

const COLUMNS = 100;

function wrapped(text: string): string {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last === '' || last.length + 1 + word.length <= COLUMNS)
      lines[lines.length - 1] = `${last} ${word}`.trimStart();
    else lines.push(word);
  }
  return lines.join('\n');
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
}
