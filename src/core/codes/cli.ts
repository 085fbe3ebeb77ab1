import type { CodeEntry } from '../codes.ts';

export const CLI_CODES = {
  'SOTTO-CLI-001': {
    title: 'The command line is not valid',
    explain:
      'A flag or an argument is missing, unknown or has a value that cannot be used. The help of the command lists them.',
  },
} as const satisfies Record<string, CodeEntry>;
