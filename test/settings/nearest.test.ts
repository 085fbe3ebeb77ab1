import { describe, expect, it } from 'vitest';
import { nearest } from '../../src/settings/nearest.ts';

describe('the nearest known word', () => {
  it.each([
    ['intervall', 'interval'],
    ['dependOn', 'dependsOn'],
    ['Path', 'path'],
    ['ptah', 'path'],
    ['secretref', 'secretRef'],
    ['syncc', 'syncs'],
  ])('of %s is %s', (typed, meant) => {
    expect(nearest(typed, ['path', 'interval', 'dependsOn', 'secretRef', 'syncs', 'ref'])).toBe(meant);
  });

  it('is none when no word is near', () => {
    expect(nearest('foo', ['path', 'url'])).toBeUndefined();
    expect(nearest('x', ['path'])).toBeUndefined();
    expect(nearest('a'.repeat(100_000), ['path'])).toBeUndefined();
    expect(nearest('path', [])).toBeUndefined();
  });
});
