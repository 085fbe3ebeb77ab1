import { defineConfig } from 'vitest/config';
import { SIDE_BY_SIDE } from './test/harness/side-by-side.ts';

// Two kinds of tests: units share threads; whatever starts programs of its own gets a process of its own.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          setupFiles: ['test/harness/seed.ts'],
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/interop/**'],
          pool: 'threads',
          isolate: false,
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'real',
          setupFiles: ['test/harness/seed.ts'],
          globalSetup: ['test/harness/global-setup.ts'],
          include: ['test/e2e/**/*.test.ts', 'test/interop/**/*.test.ts'],
          pool: 'forks',
          maxWorkers: SIDE_BY_SIDE,
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
