import type { SottoError } from '../../core/errors.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { OpenFile } from '../../open/open.ts';
import type { SyncSettings } from '../../settings/settings.ts';
import type { Reached } from '../reach.ts';

/** One sync with what the checkout has at its path. */
export interface SyncFiles {
  readonly sync: SyncSettings;
  readonly files: readonly OpenFile[];
  /** Entries of the path that are not read: links, files that are too large. */
  readonly refusals: readonly Refusal[];
  /** The path as a whole cannot be applied: nothing of this sync is done, and nothing pruned. */
  readonly refusal?: SottoError | undefined;
  /** What the kustomization of the path reaches, where it has one. */
  readonly kustomize?: Reached | undefined;
}
