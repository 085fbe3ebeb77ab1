import { syncPause } from '../plan/pause.ts';
import type { AgentContext } from './context.ts';
import type { SyncRuntime } from './sync-runtime.ts';

/** Suspended by the settings, or paused by somebody for a time. */
export function isAtRest({ inventory }: AgentContext, { settings }: SyncRuntime): boolean {
  return settings.suspend || syncPause(inventory.inventory.pauses, settings.name) !== undefined;
}
