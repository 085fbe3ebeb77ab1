import { rfc3339 } from '../../core/clock.ts';
import type { StatusDocument } from '../../report/status.ts';
import type { SyncRuntime } from '../sync-runtime.ts';
import type { UndoneEdit } from '../undone-edits.ts';

/**
 * The status document with what changes all the time: it stands here and in metrics, and not in the ConfigMap, which
 * would have to be written for it.
 */
export function statusWithTimes(document: StatusDocument, syncs: ReadonlyMap<string, SyncRuntime>): unknown {
  return {
    ...document,
    syncs: document.syncs.map((sync) => {
      const { askedAt, lastPass } = syncs.get(sync.name) ?? {};
      return {
        ...sync,
        source: { ...sync.source, ...(askedAt === undefined ? {} : { askedAt: rfc3339(askedAt) }) },
        ...(lastPass === undefined
          ? {}
          : { lastPass: { startedAt: rfc3339(lastPass.startedAt), tookMs: Math.round(lastPass.tookMs) } }),
      };
    }),
  };
}

/** With what was undone. Values stand in it, though of no Secret: it is for whoever asks from inside of the Pod. */
export function statusWithUndone(status: unknown, undone: readonly UndoneEdit[]): unknown {
  return typeof status === 'object' && status !== null ? { ...status, undone } : status;
}
