import { describe, expect, it } from 'vitest';
import { orphanStatus } from '../../src/agent/orphans.ts';
import { CONFIG_MAPS } from '../../src/kube/resource.ts';
import { SET_ID } from '../drift/objects.ts';
import { nobody, passed, runtime, testAgent } from './fixture.ts';

/** As an apply of ours leaves it. */
function labelled(name: string) {
  const entry = { manager: 'sotto', operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} };
  const labels = { 'applyset.kubernetes.io/part-of': SET_ID };
  const metadata = {
    name,
    namespace: 'team',
    uid: `uid-${name}`,
    resourceVersion: '7',
    labels,
    managedFields: [entry],
  };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata };
}

function agentThatSaw(...names: readonly string[]) {
  const sync = runtime('a');
  const agent = testAgent(nobody(), [sync]);
  for (const name of names) agent.live.observe(CONFIG_MAPS, 'team', labelled(name), false);
  return { agent, sync };
}

describe('labelled objects that no sync has', () => {
  it('are told once every sync has said what it wants, and not before', () => {
    const { agent, sync } = agentThatSaw('left', 'also-left');
    expect(orphanStatus(agent.context)).toBeUndefined();
    passed(sync, '1');
    expect(orphanStatus(agent.context)).toMatchObject({ objects: ['ConfigMap/also-left', 'ConfigMap/left'] });
  });

  it('are never what the agent keeps for itself, whoever puts its label there: nobody is told to delete that', () => {
    const own = ['sotto-inventory', 'sotto-status', 'sotto-requests', 'sotto-recovery', 'sotto'];
    const { agent, sync } = agentThatSaw(...own);
    passed(sync, '1');
    expect(orphanStatus(agent.context)).toBeUndefined();
  });
});
