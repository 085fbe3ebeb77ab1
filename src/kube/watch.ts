import { WatchLoop } from './watch-loop.ts';
import type { WatchOptions, WatchTiming } from './watch-options.ts';

export type { WatchEvent, WatchOptions, WatchScope, WatchState, WatchTiming } from './watch-options.ts';

export const WATCH_TIMING: WatchTiming = {
  streamMs: 3_000_000,
  listSilenceMs: 60_000,
  bookmarkedSilenceMs: 180_000,
  quietSilenceMs: 600_000,
  reconnectMs: 100,
  firstBackoffMs: 800,
  maxBackoffMs: 30_000,
  firstSuspensionMs: 30_000,
  maxSuspensionMs: 300_000,
  shortestLifeMs: 1_000,
};

/**
 * Lists a kind and follows it until the signal: each object once when it starts, then every change. Broken connections,
 * expired versions and restarts are mended here; what a consumer must know of them are events. Resolves after the
 * signal, rejects only with what `onEvent` threw.
 */
export async function watchResource(options: WatchOptions): Promise<void> {
  await new WatchLoop(options, { ...WATCH_TIMING, ...options.timing }).run();
}
