import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deployManifests } from '../../../src/cli/install/embedded.ts';
import { isAsWanted, lineDifference } from '../../../src/cli/install/difference.ts';
import { isAgentRole, manifestsFor, namespaceOf, resourceWords } from '../../../src/cli/install/manifests.ts';
import { planText } from '../../../src/cli/install/plan-view.ts';
import { remainsLines, remainsOf, type Seen } from '../../../src/cli/install/remains.ts';
import { covers, needsOf, type Right, verdictOf } from '../../../src/cli/install/rights.ts';
import { arrayAt, type Json, type JsonObject, memberAt } from '../../../src/core/json.ts';

const deploy = await deployManifests();
const WANTED = { namespace: 'a', targetNamespace: 'a', image: undefined, without: [], settings: undefined };
const manifests = manifestsFor(deploy, WANTED);

const configMapOf = (name: string): JsonObject => ({ kind: 'ConfigMap', metadata: { name, namespace: 'a' } });
const plain = (_style: string, text: string): string => text;
const wordsOf = (without: readonly string[]): readonly string[] =>
  manifestsFor(deploy, { ...WANTED, without })
    .filter(isAgentRole)
    .flatMap((role) => arrayAt(role, 'rules').flatMap(resourceWords));
const named = (name: string, metadata: JsonObject = {}): JsonObject => ({ metadata: { name, ...metadata } });

describe('the manifests of an install', () => {
  it('are all in the namespace, the Deployment last and Roles before what binds them', () => {
    expect(new Set(manifests.map(namespaceOf))).toEqual(new Set(['a']));
    const kinds = manifests.map(({ kind }) => kind);
    expect(kinds.at(-1)).toBe('Deployment');
    expect(kinds.lastIndexOf('Role')).toBeLessThan(kinds.indexOf('RoleBinding'));
  });

  it('leave out of the Role what was asked for, and nothing else', () => {
    const all = wordsOf([]);
    expect(all.filter((word) => !wordsOf(['ingresses.networking.k8s.io']).includes(word))).toEqual([
      'ingresses.networking.k8s.io',
    ]);
    expect(wordsOf(['horizontalpodautoscalers.autoscaling'])).toHaveLength(all.length - 1);
  });

  it('of a split install give nobody in the target namespace the agent’s own rights', () => {
    const split = manifestsFor(deploy, { ...WANTED, targetNamespace: 'b' });
    expect(split.filter((object) => namespaceOf(object) === 'b').map(({ kind }) => kind)).toEqual([
      'Role',
      'RoleBinding',
    ]);
    const own = split.find((object) => isAgentRole(object) && namespaceOf(object) === 'a');
    // Of its own Secrets it changes one, by name.
    expect(arrayAt(own, 'rules').flatMap(resourceWords)).toEqual(['secrets', 'secrets', 'configmaps', 'pods']);
    const changing = arrayAt(own, 'rules').filter((rule) => JSON.stringify(rule).includes('"patch"'));
    expect(changing.map((rule) => arrayAt(rule, 'resourceNames'))).toEqual([['sotto-fingerprint'], []]);
  });
});

describe('a right', () => {
  const right: Right = { namespace: 'a', group: 'apps', resource: 'deployments', verb: 'patch', name: 'sotto' };

  it.each<[string, Json, boolean]>([
    ['by name', { verbs: ['patch'], apiGroups: ['apps'], resources: ['deployments'] }, true],
    ['by stars', { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, true],
    [
      'for its object',
      { verbs: ['patch'], apiGroups: ['apps'], resources: ['deployments'], resourceNames: ['sotto'] },
      true,
    ],
    [
      'for another object',
      { verbs: ['patch'], apiGroups: ['apps'], resources: ['deployments'], resourceNames: ['web'] },
      false,
    ],
    ['of another group', { verbs: ['patch'], apiGroups: [''], resources: ['deployments'] }, false],
    ['of a subresource', { verbs: ['patch'], apiGroups: ['apps'], resources: ['deployments/scale'] }, false],
    ['of another verb', { verbs: ['get'], apiGroups: ['apps'], resources: ['deployments'] }, false],
  ])('is there where a rule gives it %s, and only there', (_how, rule, isThere) => {
    expect(covers(rule, right)).toBe(isThere);
  });

  it('to all objects is not given by a rule for some', () => {
    const rule = { verbs: ['*'], apiGroups: ['*'], resources: ['*'], resourceNames: ['sotto'] };
    expect(covers(rule, { ...right, name: undefined })).toBe(false);
  });
});

describe('what follows from missing rights', () => {
  const needs = needsOf(manifests);
  const missing = (select: (right: Right, kind: string) => boolean) =>
    needs.filter(({ right, kind }) => select(right, kind));

  it('is an install, where none is missing', () => {
    expect(verdictOf(manifests, [])).toEqual({ kind: 'can' });
  });

  it('is an install without kinds that the agent can do without', () => {
    const verdict = verdictOf(
      manifests,
      missing(({ group }, kind) => kind === 'grant' && group === 'batch'),
    );
    expect(verdict).toEqual({ kind: 'can-without', without: ['jobs.batch', 'cronjobs.batch'] });
  });

  it('is a Role and its binding to paste, where a right is missing that the agent needs', () => {
    const verdict = verdictOf(
      manifests,
      missing(({ resource }, kind) => kind === 'grant' && resource === 'pods'),
    );
    expect(verdict.kind === 'cannot' ? verdict.paste.map(({ kind }) => kind) : []).toEqual(['Role', 'RoleBinding']);
  });

  it('is never more to paste than what cannot be made', () => {
    const verdict = verdictOf(
      manifests,
      missing(({ resource, verb }) => resource === 'networkpolicies' && verb === 'create'),
    );
    // As a kind of the Role it may be left out; the object itself has to come from somebody else.
    expect(verdict).toMatchObject({ kind: 'cannot', without: ['networkpolicies.networking.k8s.io'] });
    expect(verdict.kind === 'cannot' ? verdict.paste.map(({ kind }) => kind) : []).toEqual(['NetworkPolicy']);
  });
});

describe('whether a live object is as wanted', () => {
  const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<Json>;

  it('holds for itself, and for itself with more in its maps', () => {
    fc.assert(
      fc.property(json, (value) => isAsWanted(value, value)),
      { seed: 1 },
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), json), fc.string(), json, (wanted, key, more) => {
        if (Object.hasOwn(wanted, key) || key === '__proto__') return true;
        return isAsWanted(wanted, { ...wanted, [key]: more });
      }),
      { seed: 2 },
    );
  });

  it('does not hold when a field is missing, another, or a list is longer', () => {
    expect(isAsWanted({ a: 1 }, {})).toBe(false);
    expect(isAsWanted({ a: 1 }, { a: 2 })).toBe(false);
    expect(isAsWanted({ a: [1] }, { a: [1, 2] })).toBe(false);
    expect(isAsWanted({ a: 1 }, undefined)).toBe(false);
  });
});

describe('the lines that differ', () => {
  const lines = fc.array(fc.constantFrom('a', 'b', 'c', ''), { minLength: 1, maxLength: 8 });

  it('make the one text of the other, and are none for equal texts', () => {
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        const difference = lineDifference(before.join('\n'), after.join('\n'));
        const gone = difference.filter((line) => line.startsWith('- ')).map((line) => line.slice(2));
        const come = difference.filter((line) => line.startsWith('+ ')).map((line) => line.slice(2));
        for (let at = 0; at <= before.length; at++) {
          const made = [...before.slice(0, at), ...come, ...before.slice(at + gone.length)];
          const fits = before.slice(at, at + gone.length).join('\n') === gone.join('\n');
          if (fits && made.join('\n') === after.join('\n')) return true;
        }
        return false;
      }),
      { seed: 3 },
    );
    expect(lineDifference('a\nb', 'a\nb')).toEqual([]);
  });
});

describe('the plan as text', () => {
  it('has a line for each object, with what changes and who loses fields', () => {
    const text = planText(
      [
        { kind: 'create', object: configMapOf('new') },
        { kind: 'same', object: configMapOf('old') },
        {
          kind: 'change',
          object: configMapOf('x'),
          live: configMapOf('x'),
          changes: [{ path: '/data/a', before: '1', after: undefined }],
          takenFrom: ['kubectl'],
        },
      ],
      'a',
      plain,
    );
    expect(text.split('\n')).toEqual([
      '+ ConfigMap/new',
      '= ConfigMap/old',
      '~ ConfigMap/x, taken over from kubectl',
      '    /data/a: "1" → (none)',
      '',
    ]);
  });

  it('shows nothing of the cluster that could act on a terminal', () => {
    const text = planText(
      [
        {
          kind: 'change',
          object: configMapOf('x'),
          live: configMapOf('x'),
          changes: [{ path: '/\u001b[2J', before: '\u202e', after: 'b' }],
          takenFrom: ['\u001b]0;x\u0007'],
        },
      ],
      'a',
      plain,
    );
    expect(['\u001b', '\u0007', '\u202e'].filter((sign) => text.includes(sign))).toEqual([]);
  });
});

describe('what an uninstall leaves', () => {
  const kinds = { 'applyset.kubernetes.io/contains-group-kinds': 'ConfigMap,Deployment.apps' };
  const seen: Seen = {
    namespace: 'a',
    targetNamespace: 'b',
    settings: undefined,
    configMaps: [
      named('web'),
      named('sotto-last-0'),
      named('sotto-inventory', { annotations: kinds }),
      named('sotto-last-x'),
    ],
    secrets: [named('sotto-fingerprint'), named('db'), named('git-auth', { labels: { 'sotto.dev/use': 'git' } })],
  };

  it('is told with the commands that remove it: state, applied objects, keys; never others', () => {
    const remains = remainsOf(seen);
    expect(remains.state.map(({ name }) => name)).toEqual(['sotto-inventory', 'sotto-last-0', 'sotto-fingerprint']);
    expect(remains.keySecrets).toEqual(['git-auth']);
    const text = remainsLines(remains, seen, false).join('\n');
    expect(text).toContain('kubectl -n b delete configmap,deployment.apps -l applyset.kubernetes.io/part-of=applyset-');
    expect(text).toContain('kubectl -n a delete secret git-auth');
    expect(text).not.toMatch(/\bdb\b|web/);
  });

  it('is no state once that was purged', () => {
    expect(remainsLines(remainsOf(seen), seen, true).join('\n')).not.toContain('fingerprint');
  });

  it('is nothing where there is nothing, and where Secrets may not be seen', () => {
    expect(remainsLines(remainsOf({ ...seen, configMaps: [], secrets: undefined }), seen, false)).toEqual([]);
  });
});

it('the Deployment of an install carries the image it was given, and no other', () => {
  const [deployment] = manifestsFor(deploy, { ...WANTED, image: 'x@sha256:00' }).filter(
    ({ kind }) => kind === 'Deployment',
  );
  const images = arrayAt(memberAt(deployment, 'spec', 'template', 'spec'), 'containers').map((container) =>
    memberAt(container, 'image'),
  );
  expect(images).toEqual(['x@sha256:00', 'x@sha256:00']);
});
