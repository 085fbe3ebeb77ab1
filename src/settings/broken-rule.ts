import type { Code } from '../core/codes.ts';
import type { FieldPath } from './path.ts';

/** What one field's form cannot say, because it takes two fields to see it or because it deserves its own code. */
export interface BrokenRule {
  readonly code: Code;
  readonly path: FieldPath;
  readonly what: string;
  readonly why: string;
  readonly next: string;
}
