import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parentsOf, parseContents, parseHeads, parseSizes, parseTree } from '../../src/git/output.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);

describe('what git answers', () => {
  it('is read as heads by their exact name', () => {
    const text = `${A}\trefs/heads/main\n${B}\trefs/heads/x/refs/heads/main\n${A}\trefs/tags/v1\nwarning: x\n`;
    expect([...parseHeads(text)]).toEqual([
      ['main', A],
      ['x/refs/heads/main', B],
    ]);
  });

  it('is read as entries with names of every form', () => {
    const names = ['deploy/a.yaml', 'deploy/l', 'deploy/sub', 'deploy', 'odd\tname\n"x".yaml', 'run'];
    const modes = ['100644 blob', '120000 blob', '160000 commit', '040000 tree', '100644 blob', '100755 blob'];
    const text = names.map((name, index) => `${modes[index]} ${A}\t${name}\0`).join('');
    expect(parseTree(text)?.map(({ kind, path }) => [kind, path])).toEqual([
      ['file', 'deploy/a.yaml'],
      ['link', 'deploy/l'],
      ['submodule', 'deploy/sub'],
      ['folder', 'deploy'],
      ['file', 'odd\tname\n"x".yaml'],
      ['file', 'run'],
    ]);
  });

  it('is no list of entries when a record is not one', () => {
    expect(parseTree(`100644 blob ${A}\ta\0fatal: no`)).toBeUndefined();
  });

  it('is read as sizes, without what is missing', () => {
    const sizes = parseSizes(Buffer.from(`${A} blob 12\n${B} missing\n${B} tree 5\n`));
    expect([...sizes]).toEqual([[A, 12]]);
  });

  it('gives back every content that cat-file frames', () => {
    const id = fc.stringMatching(/^[0-9a-f]{40}$/);
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(id, fc.uint8Array()), { selector: ([key]) => key }), (blobs) => {
        const framed = blobs.flatMap(([key, bytes]) => [
          Buffer.from(`${key} blob ${bytes.length}\n`),
          bytes,
          Buffer.from('\n'),
        ]);
        const answer = Buffer.concat(framed);
        expect([...(parseContents(answer) ?? [])]).toEqual(blobs);
        if (answer.length > 0) expect(parseContents(answer.subarray(0, -1))).toBeUndefined();
      }),
    );
  });

  it('is nothing when an object is missing', () => {
    expect(parseContents(Buffer.from(`${A} missing\n`))).toBeUndefined();
  });

  it('names the parents of a commit, and not what its message or signature claims', () => {
    const commit = `tree ${A}\nparent ${A}\nparent ${B}\nauthor x\ngpgsig x\n parent ${'c'.repeat(40)}\n\nparent ${'d'.repeat(40)}\n`;
    expect(parentsOf(Buffer.from(commit))).toEqual([A, B]);
  });
});
