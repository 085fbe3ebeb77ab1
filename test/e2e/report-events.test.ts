import { expect, it } from 'vitest';
import { stringAt } from '../../src/core/json.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { correctedEvent } from '../../src/report/event-notes.ts';
import { emptyEventBook, patchOfExisting, recordEvent } from '../../src/report/event-series.ts';
import { namespaceForTest } from '../harness/control-plane.ts';
import { describeReal } from '../harness/real.ts';

const REPORTER = { instance: `sotto-${'x'.repeat(200)}` };
/** Names that a Role may have and an Event may not. */
const OBJECTS = [
  { group: 'apps', apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u-1' },
  {
    group: 'rbac.authorization.k8s.io',
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    name: 'Odd:Role_Name..x-',
  },
];

describeReal('an Event on the real API server', ['kube-apiserver', 'etcd'], () => {
  it.each(OBJECTS)('about a $kind is taken once, counted afterwards, and within every limit', async (object) => {
    using test = await namespaceForTest([]);
    const events = `/apis/events.k8s.io/v1/namespaces/${test.namespace}/events`;
    const paths = Array.from({ length: 9 }, (_, n) => `/data/${'ä'.repeat(300)}${n}`);
    const manager = 'm'.repeat(128);
    const facts = correctedEvent(
      { ...object, namespace: test.namespace },
      { paths, manager, change: 'edited', revision: 'r' },
    );

    const now = Date.now();
    const first = recordEvent(emptyEventBook, facts, REPORTER, new Date(now));
    const event = eventOf(first.write);
    expect(await test.plane.admin('POST', events, event)).toMatchObject({ status: 201 });
    expect(await test.plane.admin('POST', events, event)).toMatchObject({ status: 409 });

    const path = `${events}/${stringAt(event, 'metadata', 'name') ?? ''}`;
    const merge = (patch: object) =>
      test.plane.admin('PATCH', path, patch as JsonObject, 'application/merge-patch+json');
    expect(await merge(patchOfExisting(new Date(now)))).toMatchObject({ status: 200 });
    const again = recordEvent(first.book, facts, REPORTER, new Date(now + 61_000));
    expect(again.write.action).toBe('patch');
    const patch = again.write.action === 'patch' ? again.write.patch : {};
    expect(await merge(patch)).toMatchObject({ status: 200, body: { series: { count: 2 } } });
  });
});

function eventOf(write: ReturnType<typeof recordEvent>['write']): JsonObject {
  if (write.action !== 'create') throw new Error(`expected a create, not ${write.action}`);
  return JSON.parse(JSON.stringify(write.event)) as JsonObject;
}
