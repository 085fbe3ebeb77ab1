import type { GitRepository } from '../../git/repository.ts';
import type { RotateRequest } from '../../plan/request.ts';
import type { AgentContext } from '../context.ts';
import type { KeyStore } from '../key-store.ts';
import type { SyncRuntime } from '../sync-runtime.ts';

/** What a rotation works with: the agent and its keys. */
export interface RotationSite {
  readonly agent: AgentContext;
  readonly keys: KeyStore;
}

/** One rotation in its repository. */
export interface RotationWork extends RotationSite {
  /** Of this rotation alone, on the memory volume. */
  readonly workDir: string;
  readonly repository: GitRepository;
  readonly request: RotateRequest;
  readonly sync: SyncRuntime;
}
