import type { ParsedKeySecret } from '../../keys/parse-keys.ts';
import { isCompromised } from '../../plan/request.ts';
import { expose } from '../exposure/expose.ts';
import type { Intent } from './goal.ts';
import type { RotationWork } from './site.ts';

/** Of keys in wrong hands, what they could open is followed before there are others. Throws SOTTO-ROTATE-051. */
export async function followExposed(work: RotationWork, intent: Intent): Promise<void> {
  const { agent, keys, request } = work;
  if (!isCompromised(request.reason)) return;
  const { by, reason } = request;
  for (const key of keysGivingWay(intent, keys.secrets())) {
    const { message } = await expose(agent, { kind: 'expose', key, by, reason });
    agent.log.info('what a key that gives way could open is followed', { key, found: message });
  }
}

/** Sealed items do not say their key: every sealing key gives way but the one that is sealed for. Pure. */
export function keysGivingWay(
  { goal, sealing }: Pick<Intent, 'goal' | 'sealing'>,
  secrets: readonly Pick<ParsedKeySecret, 'sealingKey'>[],
): string[] {
  const held = secrets.flatMap(({ sealingKey }) => sealingKey?.fingerprint ?? []);
  const others = held.filter((fingerprint) => fingerprint !== sealing?.key.fingerprint);
  return [...(goal.age === undefined ? [] : [goal.age.old]), ...(goal.seals ? others : [])];
}
