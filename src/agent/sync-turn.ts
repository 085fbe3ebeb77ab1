import type { SyncState } from '../report/sync-state.ts';

/** A sync that comes first, as it is now. */
export interface Dependency extends SyncState {
  readonly name: string;
  readonly repository: string;
  /** Of its last look at its source. */
  readonly wantedRevision: string | undefined;
  readonly appliedRevision: string | undefined;
  readonly attemptedRevision: string | undefined;
}

/** Whether the syncs that come first let one go on. */
export type SyncTurn = { readonly kind: 'ready' } | SyncWait;

/** `failed`: time alone does not end it. */
export interface SyncWait {
  readonly kind: 'waits' | 'failed';
  readonly on: string;
  readonly why: string;
}

/** What is to be applied, and where it is from. */
export interface SyncCommit {
  readonly repository: string;
  readonly revision: string;
}

/** What has failed is told before what needs time. */
export function syncTurn(
  commit: SyncCommit,
  needed: readonly { readonly name: string; readonly found: Dependency | undefined }[],
): SyncTurn {
  const waits = needed.flatMap(({ name, found }) => waitOf(commit, name, found) ?? []);
  return waits.find(({ kind }) => kind === 'failed') ?? waits[0] ?? { kind: 'ready' };
}

function waitOf(commit: SyncCommit, name: string, found: Dependency | undefined): SyncWait | undefined {
  // Settings are changing: it is about to start.
  if (found === undefined) return { kind: 'waits', on: name, why: `sync ${name} was not started yet` };
  if (found.state === 'Progressing') return { kind: 'waits', on: name, why: stateText(found) };
  if (found.state !== 'Ready') return { kind: 'failed', on: name, why: stateText(found) };
  if (found.wantedRevision === undefined || found.appliedRevision !== found.wantedRevision) {
    return { kind: 'waits', on: name, why: `sync ${name} has not applied its commit yet` };
  }
  // Within one commit the order holds too: what is ready is ready with the commit before.
  const isSame = found.repository === commit.repository;
  if (!isSame || found.attemptedRevision === commit.revision) return undefined;
  return { kind: 'waits', on: name, why: `sync ${name} has not seen ${commit.revision} yet` };
}

function stateText({ name, state, message }: Dependency): string {
  return `sync ${name} is ${state}: ${message}`;
}
