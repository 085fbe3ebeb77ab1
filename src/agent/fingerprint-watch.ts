import { asSottoError, SottoError } from '../core/errors.ts';
import { isSameFingerprint } from '../keys/fingerprint.ts';
import { readSecret } from '../kube/secret-reader.ts';
import type { WatchEvent } from '../kube/watch.ts';
import type { AgentContext } from './context.ts';
import { storedKeys } from './fingerprint.ts';
import { swapped } from './fingerprint-secret.ts';

/**
 * Events of the agent namespace's Secrets. The agent goes on with the key in memory whatever becomes of its Secret; but
 * whoever restarts it then should know before that it would not start.
 */
export function observeFingerprint(agent: AgentContext, event: WatchEvent): void {
  const { fingerprint, log, signal } = agent;
  const name = agent.settings().fingerprintSecret;
  if (event.type === 'synced' && !event.present.has(name)) return tell(agent, swapped(agent));
  if (event.type !== 'added' && event.type !== 'modified' && event.type !== 'deleted') return;
  if (event.name !== name) return;
  if (event.type === 'deleted') return tell(agent, swapped(agent));
  if (event.resourceVersion === fingerprint.resourceVersion) return;
  look(agent).then(
    (trouble) => tell(agent, trouble),
    (thrown: unknown) => {
      if (!signal.aborted) log.warn('the fingerprint Secret cannot be read', { error: asSottoError(thrown) });
    },
  );
}

async function look(agent: AgentContext): Promise<SottoError | undefined> {
  const { transport, place, signal, fingerprint } = agent;
  const { fingerprintSecret } = agent.settings();
  const secret = await readSecret(transport, place.agentNamespace, fingerprintSecret, undefined, signal);
  const stored = secret && keysOrNone(secret);
  if (secret === undefined || stored === undefined) return swapped(agent);
  const { current, former } = stored;
  // Between the write of a new key and its use, and where the answer to that write was lost, ours is the former one.
  const isOurs = [current, former].some((key) => key !== undefined && isSameFingerprint(key, fingerprint.current));
  if (!isOurs) return swapped(agent);
  fingerprint.resourceVersion = secret.resourceVersion;
  return undefined;
}

/** Not 32 bytes: somebody's, and no key. */
function keysOrNone(secret: Parameters<typeof storedKeys>[0]): ReturnType<typeof storedKeys> {
  try {
    return storedKeys(secret);
  } catch (thrown) {
    if (thrown instanceof SottoError) return undefined;
    throw thrown;
  }
}

function tell(agent: AgentContext, trouble: SottoError | undefined): void {
  const { fingerprint, log } = agent;
  const before = fingerprint.trouble;
  fingerprint.trouble = trouble;
  if (trouble?.text() === before?.text()) return;
  if (trouble !== undefined) log.warn('the fingerprint Secret', { code: trouble.code, error: trouble });
  agent.changed();
}
