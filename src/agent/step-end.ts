import type { Refusal } from '../core/refusal.ts';
import type { Waiting } from './sync-runtime.ts';

/** How one step of a plan ended. */
export type StepEnd =
  | { readonly kind: 'done' }
  /** There was nothing of ours to delete any more. */
  | { readonly kind: 'gone' }
  /** Not tried: the agent ends, or the kind has just gone. */
  | { readonly kind: 'left' }
  /** Not tried: others have to be ready first. */
  | { readonly kind: 'waits'; readonly waiting: Waiting }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly again: boolean };
