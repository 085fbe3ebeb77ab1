import { answerFor } from '../keys/canary.ts';
import type { Answer } from '../report/status.ts';
import type { AgentContext } from './context.ts';

/**
 * Whether this agent holds a key, shown by a proof that nobody else can make. It is answered for with the keys of the
 * syncs: a key that no sync would open its files with does not count.
 */
export async function answerCanary(
  agent: AgentContext,
  { key, sealed }: { readonly key: string; readonly sealed: string },
): Promise<Answer> {
  const holders: string[] = [];
  let proof: string | undefined;
  for (const sync of agent.syncs.values()) {
    const answer = await answerFor(sealed, key, agent.keysOf(sync));
    if (answer === undefined) continue;
    proof = answer;
    holders.push(sync.settings.name);
  }
  if (proof === undefined) return { outcome: 'failed', message: 'no sync has a key that opens the canary' };
  return { outcome: 'done', message: `canary ${proof} ${holders.join(',')}` };
}
