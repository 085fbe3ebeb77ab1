import { describe, expect, it } from 'vitest';
import { overwritesFreedMemory } from '../../src/agent/freed-memory.ts';
import { MEMORY_ENV } from '../../src/demo/agent-child.ts';

describe('memory that is given back', () => {
  it('is overwritten as the image and the Deployment start the agent', () => {
    expect(overwritesFreedMemory(MEMORY_ENV)).toBe(true);
    expect(overwritesFreedMemory({ GLIBC_TUNABLES: 'glibc.malloc.tcache_count=0:glibc.malloc.perturb=0xa5' })).toBe(
      true,
    );
  });

  it('is not where nothing says so', () => {
    for (const tunables of [undefined, '', 'glibc.malloc.tcache_count=0', 'glibc.malloc.perturb=0']) {
      expect(overwritesFreedMemory({ GLIBC_TUNABLES: tunables }), tunables).toBe(false);
    }
  });
});
