import { arrayAt, type Json, memberAt, stringAt } from '../../src/core/json.ts';
import type { LogLine, RunningAgent } from './agent.ts';
import { syncOf, type World } from './world.ts';

/** What the status document says is not as Git wants it. */
export interface AttentionLine {
  readonly object: string | undefined;
  readonly code: string | undefined;
  readonly file: string | undefined;
  readonly text: string;
}

export function attentionOf(status: Json | undefined, sync = 'app'): readonly AttentionLine[] {
  return arrayAt(syncOf(status ?? null, sync), 'attention').map((item) => ({
    object: stringAt(item, 'object'),
    code: stringAt(item, 'code'),
    file: stringAt(item, 'file'),
    text: ['message', 'next'].map((key) => stringAt(item, key) ?? '').join(' — '),
  }));
}

/** Code by object (or by file, where there is no object). */
export function codesOf(status: Json | undefined, sync = 'app'): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(attentionOf(status, sync).map(({ object, file, code }) => [object ?? file ?? '', code]));
}

export function stateOf(status: Json | undefined, sync = 'app'): string | undefined {
  return stringAt(syncOf(status ?? null, sync), 'state');
}

/** Waits until this commit was tried, whatever came of it. */
export function untilTried(world: World, commit: string, sync = 'app'): Promise<Json> {
  return world.until(
    `${sync} tried ${commit}`,
    (status) => stringAt(syncOf(status, sync), 'attemptedRevision')?.endsWith(commit) === true,
  );
}

/** Waits until this commit is what runs and everything is ready. */
export function untilReady(world: World, commit: string, sync = 'app'): Promise<Json> {
  return world.until(`${sync} is ready at ${commit}`, (status) => {
    const found = syncOf(status, sync);
    return stringAt(found, 'appliedRevision')?.endsWith(commit) === true && stateOf(status, sync) === 'Ready';
  });
}

/**
 * Waits for the end of the pass of this commit, whatever came of it. Sooner than the status document, which is written
 * at most every 10 s.
 */
export function passed(agent: RunningAgent, commit: string, sync = 'app'): Promise<LogLine> {
  return agent.line(
    `a pass of ${sync} at ${commit}`,
    (line) => line.msg === 'pass ended' && line['sync'] === sync && String(line['revision']).endsWith(commit),
  );
}

export function sourceErrorOf(status: Json | undefined, sync = 'app'): string | undefined {
  return stringAt(memberAt(syncOf(status ?? null, sync), 'source', 'error'), 'code');
}
