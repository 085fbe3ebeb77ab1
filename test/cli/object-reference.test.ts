import { describe, expect, it } from 'vitest';
import { kindsOf, readReference } from '../../src/cli/object-reference.ts';
import { catalogOf } from '../../src/kube/discovery.ts';
import { type Resource, resourceOf } from '../../src/kube/resource.ts';

function resource(group: string, version: string, kind: string, namespaced = true): Resource {
  return resourceOf({ group, version, kind, plural: `${kind.toLowerCase()}s`, namespaced, verbs: [] });
}

const DEPLOYMENT = resource('apps', 'v1', 'Deployment');
const OLD = resource('apps', 'v1beta1', 'Deployment');
const SECRET = resource('', 'v1', 'Secret');
const CLUSTER = resource('example.com', 'v1', 'Cluster');
const OTHER = resource('other.example.com', 'v1', 'Cluster');
const NODE = resource('', 'v1', 'Node', false);
const catalog = catalogOf(
  [SECRET, NODE, DEPLOYMENT, OLD, CLUSTER, OTHER],
  [],
  new Map([[DEPLOYMENT, ['deploy', 'deployment']]]),
);

describe('an object on the command line', () => {
  it.each([
    [['deploy/web'], [DEPLOYMENT]],
    [['Deployment/web'], [DEPLOYMENT]],
    [['deployments', 'web'], [DEPLOYMENT]],
    [['apps/Deployment/web'], [DEPLOYMENT]],
    [['deployments.apps/web'], [DEPLOYMENT]],
    [['deployment.v1beta1.apps/web'], [OLD]],
    [['secret/web'], [SECRET]],
    [['cluster/web'], [CLUSTER, OTHER]],
    [['clusters.other.example.com/web'], [OTHER]],
    [['other.example.com/Cluster/web'], [OTHER]],
  ])('%j is understood as kubectl does', (words, expected) => {
    const reference = readReference(words);
    expect(reference.name).toBe('web');
    expect(kindsOf(reference, catalog)).toEqual(expected);
  });

  it.each([[['web']], [['deploy/']], [['/web']], [['a/b/c/d']], [['a', 'b', 'c']], [['a/b', 'c/d', 'e']]])(
    '%j is none',
    (words) => {
      expect(() => kindsOf(readReference(words), catalog)).toThrow(/^SOTTO-CLI-081/);
    },
  );

  it('of an unknown kind gets the nearest one, and of a cluster-scoped one the reason', () => {
    expect(() => kindsOf({ kind: 'deployement', name: 'web' }, catalog)).toThrow(
      expect.objectContaining({ code: 'SOTTO-CLI-081', next: 'did you mean deployment?' }),
    );
    expect(() => kindsOf({ kind: 'node', name: 'a' }, catalog)).toThrow(
      expect.objectContaining({ why: 'its objects are in no namespace, and sotto applies none of them' }),
    );
    expect(() => kindsOf({ kind: 'widget', name: 'a' }, catalogOf([], ['example.com']))).toThrow(
      expect.objectContaining({ why: expect.stringContaining('did not answer: example.com') }),
    );
  });
});
