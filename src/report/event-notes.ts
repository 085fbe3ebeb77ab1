import { formatPlace } from '../core/errors.ts';
import { displayObject } from '../core/ids.ts';
import { shellWord } from '../core/shell-word.ts';
import type { EventFacts } from './events.ts';
import { sanitise, TEXT_LENGTHS } from './sanitise.ts';
import type { Attention } from './status.ts';

// What the agent tells on the object itself. Field names and managers only, never a value.

export type Regarding = EventFacts['regarding'];

export interface CorrectionFacts {
  /** As a person reads them: `/spec/replicas`. */
  readonly paths: readonly string[];
  /** As managedFields says; undefined where ownership does not tell. */
  readonly manager?: string | undefined;
  readonly change: 'edited' | 'deleted';
  readonly revision: string;
  /** `sotto keep` can make a commit of it. */
  readonly canKeep?: boolean | undefined;
}

/** A change made outside Git was undone. */
export function correctedEvent(regarding: Regarding, facts: CorrectionFacts): EventFacts {
  return {
    regarding,
    type: 'Normal',
    reason: 'DriftCorrected',
    action: 'Apply',
    note: correctionNote(regarding, facts),
  };
}

/** An apply did not undo it: the API server or admission sees no difference, or another writer wins. */
export function uncorrectableEvent(regarding: Regarding, facts: CorrectionFacts): EventFacts {
  const note =
    `A change of ${listed(facts.paths)} by ${whoOf(facts)} stays: applying Git at ${facts.revision} does not undo it. ` +
    'It is not tried again until the object changes; see `sotto diff`.';
  return { regarding, type: 'Warning', reason: 'DriftUncorrectable', action: 'Apply', note };
}

/** Somebody writes the object each time it is restored: whoever watches it must find out who wins, and how to end it. */
export function foughtEvent(regarding: Regarding, facts: Pick<CorrectionFacts, 'paths' | 'manager'>): EventFacts {
  const note =
    `${whoOf(facts)} writes ${listed(facts.paths)} each time Git is restored, so corrections are slowed down. ` +
    `Stop the other writer or take the fields out of Git; \`sotto pause ${shellWord(displayObject(regarding))} --for 1h --reason TEXT\` ends it for a while.`;
  return { regarding, type: 'Warning', reason: 'DriftFight', action: 'Apply', note };
}

/** Fields of ours that an autoscaler, an injector or a manager of `drift.ignore` has from now on. */
export function yieldedEvent(regarding: Regarding, facts: Pick<CorrectionFacts, 'paths' | 'manager'>): EventFacts {
  const note =
    `${listed(facts.paths)} is left to ${whoOf(facts)} from now on, and not applied from Git. ` +
    'A commit that changes the value takes it back; leave the field out of Git to end this for good.';
  return { regarding, type: 'Normal', reason: 'DriftYielded', action: 'Apply', note };
}

/** The object is not as Git wants it and keeps its last good state: one line with code, place and next step. */
export function attentionEvent(
  regarding: Regarding,
  reason: 'Refused' | 'Held' | 'Failed',
  item: Attention,
): EventFacts {
  const place = formatPlace({ file: item.file, line: item.line, key: item.key });
  const where = place === '' ? '' : ` (${place})`;
  const note = `${item.code}: ${item.message}${where} — ${item.next}`;
  return { regarding, type: 'Warning', reason, action: 'Apply', note };
}

/** Somebody asked to leave the object alone; `by` and `reason` are as the request says. */
export function pausedEvent(
  regarding: Regarding,
  facts: { readonly until: string; readonly by: string; readonly reason: string },
): EventFacts {
  const by = sanitise(facts.by, TEXT_LENGTHS.name);
  const note = `Left alone until ${facts.until}, asked for by ${by}: ${sanitise(facts.reason, 300)}. \`sotto resume ${shellWord(displayObject(regarding))}\` ends it.`;
  return { regarding, type: 'Normal', reason: 'Paused', action: 'Pause', note };
}

export function resumedEvent(regarding: Regarding): EventFacts {
  const note = 'Kept as in Git again: the pause has ended';
  return { regarding, type: 'Normal', reason: 'Resumed', action: 'Resume', note };
}

export function prunedEvent(regarding: Regarding, revision: string): EventFacts {
  const note = `Deleted: it is not in Git any more at ${revision}`;
  return { regarding, type: 'Normal', reason: 'Pruned', action: 'Delete', note };
}

export function prunedWithSyncEvent(regarding: Regarding, sync: string): EventFacts {
  const name = sanitise(sync, TEXT_LENGTHS.name);
  const note = `Deleted: sync ${name} has left the settings, and its deletionPolicy is delete`;
  return { regarding, type: 'Normal', reason: 'Pruned', action: 'Delete', note };
}

export function recreatedEvent(regarding: Regarding, revision: string): EventFacts {
  const note = `Deleted and made anew: Git at ${revision} changes a field that cannot be changed in place`;
  return { regarding, type: 'Normal', reason: 'Recreated', action: 'Apply', note };
}

/** What was undone, who had done it, where Git stands, and what to type to be left alone for a while. */
function correctionNote(regarding: Regarding, facts: CorrectionFacts): string {
  const what = facts.change === 'deleted' ? 'a deletion' : `a change of ${listed(facts.paths)}`;
  const lost = regarding.kind === 'Secret' && regarding.group === '' ? ' The undone value is not kept anywhere.' : '';
  const object = shellWord(displayObject(regarding));
  const keep = `\`sotto keep ${object}\``;
  const how =
    facts.canKeep === true ? `to put the change into Git: ${keep}` : `to keep a change: pause, then edit, then ${keep}`;
  return (
    `Undid ${what} by ${whoOf(facts)}: the object is as in Git at ${facts.revision} again.${lost}` +
    ` To change it for a while: \`sotto pause ${object} --for 1h --reason TEXT\`; ${how}.`
  );
}

function whoOf(facts: Pick<CorrectionFacts, 'manager'>): string {
  return facts.manager === undefined ? 'an unknown writer' : sanitise(facts.manager, TEXT_LENGTHS.name);
}

/** The first paths and how many more: a note has 1024 bytes. */
function listed(paths: readonly string[]): string {
  const shown = paths.slice(0, 5).map((path) => sanitise(path, 100));
  if (shown.length === 0) return 'its fields';
  return paths.length > shown.length ? `${shown.join(', ')} and ${paths.length - shown.length} more` : shown.join(', ');
}
