import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { VariableMaps } from '../../src/agent/variable-maps.ts';
import { SottoError } from '../../src/core/errors.ts';
import { systemClock } from '../../src/core/clock.ts';
import { type Received, sendJson, startFakeApi, statusOf } from '../kube/fake-api.ts';

const VARS = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'vars', resourceVersion: '5' },
  data: { a: '1' },
};

/** Lists and watches are refused, as in a Role without them. */
function answer({ path }: Received, response: ServerResponse): void {
  if (path.endsWith('/configmaps/vars')) return sendJson(response, 200, VARS);
  if (path.endsWith('/configmaps/none')) return sendJson(response, 404, statusOf(404, 'NotFound', NONE));
  return sendJson(response, 403, statusOf(403, 'Forbidden'));
}
const NONE = { details: { name: 'none', kind: 'configmaps' } };

describe('ConfigMaps with variables that cannot be watched', () => {
  it('are read with each pass, and told by a code when that is forbidden too', async () => {
    await using api = await startFakeApi(answer);
    const stop = new AbortController();
    const maps = new VariableMaps({
      transport: api.transport(),
      clock: systemClock,
      random: () => 0.5,
      signal: stop.signal,
      targetNamespace: 'team',
      named: () => new Set(['vars', 'none', 'hidden']),
      onChange: () => expect.unreachable(),
      onDefect: () => undefined,
    });
    const reads = (): number => api.received.filter(({ path }) => path.endsWith('/configmaps/vars')).length;
    expect([...(await maps.read(['vars', 'none']))]).toEqual([['vars', VARS]]);
    expect(reads()).toBe(1);
    await maps.read(['vars']);
    expect(reads()).toBe(2);
    const refused = await maps.read(['hidden']).catch((thrown: unknown) => thrown);
    expect(refused instanceof SottoError ? refused.code : refused).toMatch(/^SOTTO-KUBE-/);
    stop.abort();
  });
});
