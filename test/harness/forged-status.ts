import { memberAt } from '../../src/core/json.ts';
import { configMapPath } from './objects.ts';
import { eventually, type World } from './world.ts';

/** Whoever may write the status answers the canary, without having opened it. */
export async function forgeCanary(world: World): Promise<void> {
  const id = await eventually('a canary is asked for', async () => {
    const requests = memberAt(await world.get(configMapPath(world.namespace, 'sotto-requests')), 'data');
    return Object.keys((requests ?? {}) as object).find((each) => each.startsWith('canary-'));
  });
  const status = await world.status();
  const message = `canary ${Buffer.alloc(32, 7).toString('base64url')} app`;
  const text = JSON.stringify({ ...(status as object), handled: [{ id, outcome: 'done', message }] });
  const path = configMapPath(world.namespace, 'sotto-status');
  await world.own.plane.admin('PATCH', path, { data: { 'status.json': text } }, 'application/merge-patch+json');
}
