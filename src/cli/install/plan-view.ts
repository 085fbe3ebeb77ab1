import { type Json, type JsonObject, stringAt, stringifyJson } from '../../core/json.ts';
import { SETTINGS_KEY, SETTINGS_NAME } from '../../core/labels.ts';
import { harmless, type Paint } from '../terminal.ts';
import { lineDifference } from './difference.ts';
import { nameOf, shownObject } from './manifests.ts';
import type { InstallStep } from './steps.ts';

const MAX_VALUE = 60;
const MAX_LINES = 40;

/** The plan as a person reads it: one line for each object, and what differs below it. */
export function planText(steps: readonly InstallStep[], namespace: string, paint: Paint): string {
  return steps.map((step) => stepLines(step, namespace, paint)).join('');
}

function stepLines(step: InstallStep, namespace: string, paint: Paint): string {
  const object = harmless(shownObject(step.object, namespace));
  if (step.kind === 'create')
    return `${paint('green', '+')} ${object}
`;
  if (step.kind === 'same')
    return `= ${paint('dim', object)}
`;
  if (step.kind === 'unseen')
    return `? ${object}: you may neither see nor make it; somebody else has to have applied it (sotto check --pre prints it)
`;
  return [
    `${paint('yellow', '~')} ${object}${takenFrom(step.takenFrom)}
`,
    ...details(step),
  ].join('');
}

function takenFrom(managers: readonly string[]): string {
  return managers.length === 0 ? '' : harmless(`, taken over from ${managers.join(', ')}`);
}

function details(step: Extract<InstallStep, { kind: 'change' }>): readonly string[] {
  const lines = isSettings(step.object)
    ? settingsLines(step.live, step.object)
    : step.changes.map(({ path, before, after }) => `${path}: ${shown(before)} → ${shown(after)}`);
  const more = lines.length - MAX_LINES;
  return [...lines.slice(0, MAX_LINES), ...(more > 0 ? [`… and ${more} more lines`] : [])].map(
    (line) => `    ${harmless(line)}\n`,
  );
}

function isSettings(object: JsonObject): boolean {
  return object['kind'] === 'ConfigMap' && nameOf(object) === SETTINGS_NAME;
}

function settingsLines(live: JsonObject, object: JsonObject): readonly string[] {
  return [
    'the settings in the cluster are replaced by those of sotto.yaml:',
    ...lineDifference(settingsIn(live), settingsIn(object)),
  ];
}

function shown(value: Json | undefined): string {
  if (value === undefined) return '(none)';
  const text = stringifyJson(value);
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}

function settingsIn(object: JsonObject): string {
  return stringAt(object, 'data', SETTINGS_KEY) ?? '';
}
