import { arrayAt, stringAt } from '../core/json.ts';
import type { BrokenRule } from './broken-rule.ts';

/** `dependsOn` of each sync: names that are not there, and circles. */
export function brokenDependencies(syncs: readonly unknown[]): BrokenRule[] {
  const known = new Map<string, readonly unknown[]>();
  for (const sync of syncs) {
    const name = stringAt(sync, 'name');
    if (name !== undefined) known.set(name, arrayAt(sync, 'dependsOn'));
  }
  return syncs.flatMap((sync, index) =>
    arrayAt(sync, 'dependsOn').flatMap((needed, place): BrokenRule[] => {
      if (typeof needed !== 'string') return [];
      const path = ['syncs', index, 'dependsOn', place];
      if (!known.has(needed)) return [unknownName(path, needed, [...known.keys()])];
      const name = stringAt(sync, 'name');
      const way = name === undefined ? undefined : wayTo(name, needed, known);
      return name === undefined || way === undefined ? [] : [circle(path, [name, ...way])];
    }),
  );
}

/** The names from one sync to another along `dependsOn`, both included; undefined where there is no way. */
function wayTo(
  to: string,
  from: string,
  known: ReadonlyMap<string, readonly unknown[]>,
): readonly string[] | undefined {
  const before = new Map<string, string | undefined>([[from, undefined]]);
  const queue = [from];
  for (const name of queue) {
    if (name === to) return wayBack(name, before);
    for (const next of known.get(name) ?? []) {
      if (typeof next !== 'string' || before.has(next)) continue;
      before.set(next, name);
      queue.push(next);
    }
  }
  return undefined;
}

function wayBack(end: string, before: ReadonlyMap<string, string | undefined>): readonly string[] {
  const way: string[] = [];
  for (let name: string | undefined = end; name !== undefined; name = before.get(name)) way.unshift(name);
  return way;
}

function unknownName(path: BrokenRule['path'], needed: string, names: readonly string[]): BrokenRule {
  return {
    code: 'SOTTO-CONF-013',
    path,
    what: `there is no sync ${JSON.stringify(needed.slice(0, 100))}`,
    why: `the settings have ${names.slice(0, 20).join(', ')}`,
    next: 'name one of these, or remove the entry',
  };
}

function circle(path: BrokenRule['path'], way: readonly string[]): BrokenRule {
  return {
    code: 'SOTTO-CONF-014',
    path,
    what: 'syncs depend on each other in a circle',
    why: `${way.join(' waits for ')}, so none of them would ever be applied`,
    next: 'remove one of the entries of the circle',
  };
}
