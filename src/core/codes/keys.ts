import type { CodeEntry } from '../codes.ts';

export const KEYS_CODES = {
  'SOTTO-KEYS-001': {
    title: 'A key Secret cannot be used',
    explain: 'The Secret named in the settings is missing, is not labelled for the purpose, or holds no usable key.',
  },
} as const satisfies Record<string, CodeEntry>;
