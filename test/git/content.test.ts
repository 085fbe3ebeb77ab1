import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/core/limits.ts';
import { parseGitUrl } from '../../src/git/address.ts';
import { batches, checkSizes, type SizedBlobs } from '../../src/git/content.ts';
import { type BlobId, parseSizes } from '../../src/git/output.ts';

const url = parseGitUrl('https://git.example.com/app.git');

function sized(...sizes: readonly number[]): Map<BlobId, number> {
  const lines = sizes.map((size, index) => `${String(index).padStart(40, '0')} blob ${size}\n`);
  return parseSizes(Buffer.from(lines.join('')));
}

function check(sizes: Map<BlobId, number>, blobs: readonly BlobId[] = [...sizes.keys()]): SizedBlobs {
  return checkSizes(blobs, sizes, () => 'deploy/a.yaml', url);
}

describe('the caps on content', () => {
  it('let a file of exactly the cap through and set the one above it aside', () => {
    const sizes = sized(LIMITS.maxFileBytes, LIMITS.maxFileBytes + 1);
    const [fits, tooLarge] = [...sizes.keys()];
    const sorted = check(sizes);
    expect(sorted.fitting).toEqual([fits]);
    expect([...sorted.tooLarge].map(([blob, { code }]) => [blob, code])).toEqual([[tooLarge, 'SOTTO-GIT-023']]);
  });

  it('count all files together', () => {
    const count = Math.ceil(LIMITS.maxSnapshotBytes / LIMITS.maxFileBytes) + 1;
    expect(() => check(sized(...Array.from({ length: count }, () => LIMITS.maxFileBytes)))).toThrow(
      expect.objectContaining({ code: 'SOTTO-GIT-024' }),
    );
  });

  it('notice a file that the server withholds', () => {
    expect(() => check(new Map(), [...sized(1).keys()])).toThrow(expect.objectContaining({ code: 'SOTTO-GIT-032' }));
  });
});

describe('reading in batches', () => {
  it('keeps every batch below the size unless one file is larger by itself', () => {
    const sizes = sized(4, 4, 4, 20, 1);
    const found = [...batches([...sizes.keys()], sizes, 8)].map((batch) => batch.map((blob) => sizes.get(blob)));
    expect(found).toEqual([[4, 4], [4], [20], [1]]);
  });
});
