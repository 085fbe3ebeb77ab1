import type { CodeEntry } from '../codes.ts';

export const AGE_CODES = {
  'SOTTO-AGE-001': {
    title: 'No held identity opens the file',
    explain:
      'The file is encrypted for recipients of which none belongs to an identity at hand. Add the identity, or ask somebody named in the file to add your recipient.',
  },
} as const satisfies Record<string, CodeEntry>;
