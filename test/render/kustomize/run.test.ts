import { describe, expect, test } from 'vitest';
import { run } from '../../../src/render/kustomize/run.ts';

/** A program that says this and ends so. */
function ending(complaint: string, code: number): Promise<unknown> {
  const command = ['/bin/sh', '-c', 'printf "%b" "$1" >&2; exit "$2"', 'sh', complaint, String(code)];
  return run({ command, folder: '/', timeoutMs: 10_000, maxOutputBytes: 100 });
}

describe('a program of Go that ends', () => {
  test.each([
    'fatal error: runtime: out of memory\\n',
    'fatal error: runtime: cannot allocate memory\\n',
    'runtime: failed to create new OS thread (have 5 already; errno=11)\\nfatal error: newosproc\\n',
    // Seen in one of a hundred builds that met the cap: the collector of Go 1.26 goes on with what it did not get.
    'SIGSEGV: segmentation violation\\nPC=0x4335fd m=3 sigcode=1 addr=0x0\\n\\ngoroutine 0 gp=0xb2f5da032c0 m=3 [idle]:\\n',
  ])('for lack of memory is known by what it says: %j', async (complaint) => {
    expect(await ending(complaint, 2)).toEqual({ kind: 'ended', why: 'memory' });
  });

  test.each([
    ['Error: no matches for Id', 1],
    ['panic: runtime error: invalid memory address\\n[signal SIGSEGV: segmentation violation code=0x1]\\n', 2],
  ])('for another reason has failed: %j', async (complaint, code) => {
    expect(await ending(complaint, code)).toMatchObject({ kind: 'failed' });
  });
});
