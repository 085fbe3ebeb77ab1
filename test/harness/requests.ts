import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditEntry } from '../../src/demo/control-plane.ts';
import type { World } from './world.ts';

/** The API server writes its audit log a moment after it has answered. */
const AUDIT_LAG_MS = 300;

export interface RequestLog {
  /** The agent's requests since then, open watches included. */
  entries(): Promise<readonly AuditEntry[]>;
  /** All but watches: what costs the API server something each time. */
  calls(): Promise<readonly AuditEntry[]>;
  writes(): Promise<readonly AuditEntry[]>;
}

/** From now on, what the agent of this world asks of the API server. */
export async function requestsFromNow(world: World): Promise<RequestLog> {
  await sleep(AUDIT_LAG_MS);
  return requestsSince(world, await world.own.plane.auditMark());
}

export function requestsSince(world: World, since: number): RequestLog {
  const entries = async (): Promise<readonly AuditEntry[]> => {
    await sleep(AUDIT_LAG_MS);
    return world.own.plane.auditEntries({ user: world.own.account.user, since });
  };
  const calls = async (): Promise<readonly AuditEntry[]> => (await entries()).filter(({ verb }) => verb !== 'watch');
  return {
    entries,
    calls,
    writes: async () => (await calls()).filter(({ verb }) => !['get', 'list'].includes(verb)),
  };
}

/** Short form for messages of assertions. */
export function shown(entries: readonly AuditEntry[]): readonly string[] {
  return entries.map(({ verb, resource, name, status, uri }) => `${verb} ${resource}/${name} ${status} ${uri}`);
}
