import { formatPlace } from '../core/errors.ts';
import { shortRevision, type Revision } from '../core/ids.ts';
import { arrayAt, type Json, numberAt, stringAt } from '../core/json.ts';
import { harmless, type Paint } from './terminal.ts';
import type { Finding, Why } from './why.ts';

const SHOWN_CORRECTIONS = 5;

/** `sotto why` for people: facts, then what is wrong with the next step of each. */
export function whyText(why: Why, paint: Paint): string {
  const rows: (readonly [string, string])[] = [
    ['state', why.state],
    ['kept by', keptBy(why)],
    ['from', why.file === undefined ? '' : formatPlace({ file: why.file, line: why.line })],
    ['revision', revisions(why)],
    ['owner', why.owner],
    ['written by', why.managers.join(', ')],
    ...why.pauses.map((pause): readonly [string, string] => ['paused', pauseText(pause)]),
    ...why.corrections
      .slice(0, SHOWN_CORRECTIONS)
      .map((item): readonly [string, string] => ['corrected', corrected(item)]),
  ];
  const shown = rows
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `  ${name.padEnd(10)}  ${harmless(value)}`);
  const head = `${paint('bold', harmless(why.object))} in namespace ${harmless(why.namespace)}`;
  const note = why.kept ? `\n${paint('dim', NOTE)}\n` : '';
  return `${[head, ...shown].join('\n')}\n${findings(why.findings, paint)}${note}`;
}

/** The inventory is read without its key. */
const NOTE = 'File and line are as ConfigMap sotto-inventory has them, not verified: its key is the agent’s.';

function keptBy({ kept, sync }: Why): string {
  if (sync === undefined) return kept ? 'this agent' : 'not by sotto: it is in no inventory and no status';
  const state = [sync.state, sync.message].filter((text) => text !== '').join(': ');
  return `${kept ? '' : 'not yet: wanted by '}sync ${sync.name}${state === '' ? '' : ` (${state})`}`;
}

function revisions({ appliedRevision, revision }: Why): string {
  const [applied, inGit] = [appliedRevision, revision].map((text) => shortRevision((text ?? '') as Revision));
  if (applied === inGit) return applied ?? '';
  return [applied === '' ? 'nothing applied' : `applied ${applied}`, inGit === '' ? '' : `in Git ${inGit}`]
    .filter((text) => text !== '')
    .join(', ');
}

function pauseText(pause: Json): string {
  const what = stringAt(pause, 'sync') === undefined ? '' : `the whole sync ${stringAt(pause, 'sync')}, `;
  const until = stringAt(pause, 'until') ?? 'somebody resumes it';
  return `${what}until ${until}, by ${stringAt(pause, 'by') ?? ''}: ${stringAt(pause, 'reason') ?? ''}`;
}

function corrected(item: Json): string {
  const paths = arrayAt(item, 'paths').map(String).join(' ');
  const who = stringAt(item, 'manager') ?? 'an unknown writer';
  return `${stringAt(item, 'at') ?? ''}  ${paths} by ${who}: ${stringAt(item, 'outcome') ?? ''} in ${numberAt(item, 'tookMs') ?? '?'} ms`;
}

function findings(all: readonly Finding[], paint: Paint): string {
  if (all.length === 0) return '';
  const lines = all.flatMap(({ code, message, next, ...place }) => {
    const where = formatPlace(place);
    return [
      `  ${paint('red', harmless(code))}`,
      `    ${harmless(message)}${where === '' ? '' : ` (${harmless(where)})`}`,
      ...(next === '' ? [] : [`      next: ${harmless(next)}`]),
    ];
  });
  return `\n${paint('bold', 'Needs attention')}\n${lines.join('\n')}\n`;
}
