import { expect, it } from 'vitest';
import { diffTrees } from '../../src/plan/tree-diff.ts';

const env = (...names: string[]) => ({ env: names.map((name) => ({ name, value: '1' })) });

it('tells fields by their path, items of named lists by name, and a changed order as the whole list', () => {
  expect(diffTrees({ a: 1, b: { c: 2 } }, { a: 1, b: { c: 3 } })).toEqual([{ path: '/b/c', before: 2, after: 3 }]);
  expect(diffTrees(env('A'), { env: [{ name: 'A', value: '2' }] })).toEqual([
    { path: '/env[name=A]/value', before: '1', after: '2' },
  ]);
  expect(diffTrees(env('A', 'B'), env('B', 'A'))).toHaveLength(1);
  expect(diffTrees(env('A', 'B'), env('A', 'B'))).toEqual([]);
});
