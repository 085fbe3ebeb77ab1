import { rfc3339 } from '../core/clock.ts';
import type { Request } from '../plan/request.ts';
import type { Answer } from '../report/status.ts';
import type { AgentContext } from './context.ts';

/**
 * Somebody says that a rehearsal succeeded. It is kept with the inventory, because its date has to outlive this process;
 * the agent was not there, so it is their word.
 */
export async function rehearsed(
  agent: AgentContext,
  { by, documents, objects }: Extract<Request, { kind: 'rehearsed' }>,
): Promise<Answer> {
  const { inventory, clock, log } = agent;
  const before = inventory.inventory.rehearsal;
  const at = rfc3339(clock.now());
  inventory.setRehearsal({ at, by, documents, objects });
  try {
    await inventory.store();
  } catch (thrown) {
    inventory.setRehearsal(before);
    throw thrown;
  }
  log.info('rehearsed', { by, documents, objects });
  agent.changed();
  return { outcome: 'done', message: `recorded as of ${at}` };
}
