import { describe, expect, it } from 'vitest';
import { addsToSecret, foreignOwner, isEqualButOwnership, ownerOf } from '../../src/apply/first-contact.ts';
import { withoutFields } from '../../src/apply/without-fields.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { SET_ID } from '../drift/objects.ts';

const LABEL = 'applyset.kubernetes.io/part-of';
const OUR_ENTRY = { managedFields: [{ manager: 'sotto', operation: 'Apply' }] };

function owner(metadata: Json | undefined): string {
  const found = ownerOf(metadata, SET_ID);
  return found.kind === 'other' ? found.name : found.kind;
}

describe('whose an existing object is', () => {
  const CASES: readonly (readonly [string, JsonObject, string])[] = [
    ['label and entry of ours', { labels: { [LABEL]: SET_ID }, ...OUR_ENTRY }, 'ours'],
    ['a copy with our label alone', { labels: { [LABEL]: SET_ID } }, 'nobody'],
    [
      'our manager by an update',
      { labels: { [LABEL]: SET_ID }, managedFields: [{ manager: 'sotto', operation: 'Update' }] },
      'nobody',
    ],
    [
      'a copy of an object of Helm with our label',
      { labels: { [LABEL]: SET_ID, 'app.kubernetes.io/managed-by': 'Helm' } },
      'Helm',
    ],
    ['another agent', { labels: { [LABEL]: 'applyset-x' }, ...OUR_ENTRY }, 'another sotto agent (set applyset-x)'],
    ['the label of another set', { labels: { [LABEL]: 'applyset-x' } }, 'another tool (set applyset-x)'],
    [
      'Config Sync, which labels its set too',
      { labels: { [LABEL]: 'applyset-x' }, annotations: { 'configmanagement.gke.io/managed': 'enabled' } },
      'Config Sync',
    ],
    ['Flux kustomize', { labels: { 'kustomize.toolkit.fluxcd.io/name': 'a' } }, 'Flux (kustomize-controller)'],
    ['Flux helm', { labels: { 'helm.toolkit.fluxcd.io/name': 'a' } }, 'Flux (helm-controller)'],
    ['Argo CD by annotation', { annotations: { 'argocd.argoproj.io/tracking-id': 'a' } }, 'Argo CD'],
    ['Argo CD by label', { labels: { 'argocd.argoproj.io/instance': 'a' } }, 'Argo CD'],
    ['Helm by annotation', { annotations: { 'meta.helm.sh/release-name': 'a' } }, 'Helm'],
    ['Helm by label', { labels: { 'app.kubernetes.io/managed-by': 'Helm' } }, 'Helm'],
    ['kapp', { labels: { 'kapp.k14s.io/app': 'a' } }, 'kapp'],
    ['Config Sync', { annotations: { 'configmanagement.gke.io/managed': 'enabled' } }, 'Config Sync'],
    ['cli-utils', { annotations: { 'config.k8s.io/owning-inventory': 'a' } }, 'cli-utils'],
    ['a controller', { ownerReferences: [{ kind: 'SealedSecret', name: 'a', controller: true }] }, 'SealedSecret/a'],
    ['an owner that is no controller', { ownerReferences: [{ kind: 'X', name: 'a' }] }, 'nobody'],
    ['somebody with kubectl', { labels: { app: 'a' }, annotations: {} }, 'nobody'],
  ];
  for (const [name, metadata, expected] of CASES) {
    it(`${name}: ${expected}`, () => expect(owner(metadata)).toBe(expected));
  }

  it('is told with both agents, and a command that finds the other, whatever the label says', () => {
    const found = ownerOf({ labels: { [LABEL]: "x'; rm -rf ~" }, ...OUR_ENTRY }, SET_ID);
    const error = found.kind === 'other' ? foreignOwner(found, SET_ID) : undefined;
    expect(error?.text()).toContain(SET_ID);
    expect(error?.next).toMatch(
      /^kubectl get configmaps,secrets -A -l 'applyset\.kubernetes\.io\/id=x'\\''; rm -rf ~'/,
    );
  });

  it('of no metadata at all is nobody', () => expect([owner(undefined), owner(null)]).toEqual(['nobody', 'nobody']));
});

describe('a trial apply', () => {
  const before = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', uid: 'u', resourceVersion: '1' },
    data: { k: 'v' },
    status: { x: 1 },
  };

  it('is equal when only our label, managedFields and versions differ', () => {
    const after = {
      ...before,
      status: { x: 2 },
      metadata: {
        ...before.metadata,
        resourceVersion: '2',
        generation: 3,
        managedFields: [{}],
        labels: { [LABEL]: SET_ID },
      },
    };
    expect(isEqualButOwnership(before, after)).toBe(true);
  });

  it('differs by a value, a key, another label or an annotation', () => {
    const changes = [
      { data: { k: 'w' } },
      { data: { k: 'v', l: 'w' } },
      { metadata: { ...before.metadata, labels: { a: 'b' } } },
      { metadata: { ...before.metadata, annotations: { a: 'b' } } },
    ];
    expect(changes.map((change) => isEqualButOwnership(before, { ...before, ...change }))).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it('of a Secret adds keys that no entry owned before, or when nobody knows who owned what', () => {
    const owned = {
      metadata: {
        managedFields: [{ fieldsV1: { 'f:data': { '.': {}, 'f:a': {} } } }, { fieldsV1: { 'f:data': { 'f:b': {} } } }],
      },
    };
    expect(addsToSecret(owned, wanted(['a', 'b']))).toBe(false);
    expect(addsToSecret(owned, wanted(['a', 'c']))).toBe(true);
    expect(addsToSecret(owned, wanted(['a'], ['immutable']))).toBe(true);
    expect(addsToSecret({ metadata: {} }, wanted(['a']))).toBe(true);
    expect(addsToSecret({ metadata: { managedFields: [] } }, wanted([]))).toBe(true);
  });
});

describe('a body without yielded fields', () => {
  const tree = { spec: { replicas: 3, template: { x: [{ name: 'c' }] } }, metadata: { name: 'a' } };

  it('lacks them and nothing else, and the tree it came from is as it was', () => {
    const copy = structuredClone(tree);
    expect(withoutFields(tree, [['f:spec', 'f:replicas']])).toEqual({
      ...tree,
      spec: { template: tree.spec.template },
    });
    expect(tree).toEqual(copy);
  });

  it('lacks a field of an item of a list, and has the item and what names it', () => {
    const pod = {
      spec: {
        c: [
          { name: 'a', image: 'x' },
          { name: 'b', image: 'y' },
        ],
      },
    };
    const item = ['f:spec', 'f:c', 'k:{"name":"a"}'];
    expect(withoutFields(pod, [item, [...item, 'f:name'], [...item, 'f:image']])).toEqual({
      spec: { c: [{ name: 'a' }, { name: 'b', image: 'y' }] },
    });
  });

  it('has what is not there, what names an item of a list, and names of every object', () => {
    const paths = [
      ['f:spec', 'f:none'],
      ['f:none', 'f:x'],
      ['f:spec', 'f:template', 'f:x', 'k:{"name":"c"}', 'f:name'],
      ['f:constructor'],
      [],
    ];
    expect(withoutFields(tree, paths)).toEqual(tree);
  });
});

function wanted(keys: readonly string[], fields: readonly string[] = []) {
  return { keys, fields };
}
