import type { CodeEntry } from '../codes.ts';

export const SOPS_CODES = {
  'SOTTO-SOPS-001': {
    title: 'The file was changed after it was encrypted',
    explain:
      'The message authentication code of the file does not match its content. Somebody edited the file without sops or sotto.',
  },
} as const satisfies Record<string, CodeEntry>;
