import { describe, expect, it } from 'vitest';
import { kubeError } from '../../src/kube/errors.ts';
import { failureFromAnswer, shortText } from '../../src/kube/failure.ts';
import type { KubeFailure } from '../../src/kube/failure.ts';
import { CONFIG_MAPS, SECRETS } from '../../src/kube/resource.ts';
import { statusOf } from './fake-api.ts';

function failure(status: number, body: unknown, secret = false): KubeFailure {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return failureFromAnswer({ kind: 'answer', status, retryAfterMs: undefined, bytes }, secret);
}

// Bodies as a kube-apiserver 1.37 sends them.
const conflict = statusOf(409, 'Conflict', {
  message: 'Apply failed with 1 conflict: conflict with "kubectl-edit" using v1: .data.a',
  details: {
    causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "kubectl-edit" using v1', field: '.data.a' }],
  },
});
const modified = statusOf(409, 'Conflict', {
  message: 'Operation cannot be fulfilled on configmaps "x1": the object has been modified',
});
const typed = statusOf(500, '', {
  message:
    'failed to create typed patch object (team/ty; /v1, Kind=Secret): .data.a: expected string, got &value.valueUnstructured{Value:987654321}',
});
const badLabel = statusOf(422, 'Invalid', {
  message: 'Secret "ty" is invalid: metadata.labels: Invalid value: "hunter2!"',
  details: {
    causes: [{ reason: 'FieldValueInvalid', message: 'Invalid value: "hunter2!"', field: 'metadata.labels' }],
  },
});

describe('a refusal', () => {
  it.each<[string, number, unknown, Partial<KubeFailure>]>([
    ['no credentials', 401, statusOf(401, 'Unauthorized'), { kind: 'unauthorized', permanent: false }],
    [
      'RBAC',
      403,
      statusOf(403, 'Forbidden', { message: 'User "u" cannot create resource "configmaps" in API group ""' }),
      { kind: 'forbidden', missingVerb: 'create' },
    ],
    ['quota', 403, statusOf(403, 'Forbidden', { message: 'exceeded quota: q, requested: x' }), { kind: 'quota' }],
    [
      'a namespace that goes',
      403,
      statusOf(403, 'Forbidden', {
        details: { causes: [{ reason: 'NamespaceTerminating', message: 'x', field: 'metadata.namespace' }] },
      }),
      { kind: 'terminating-namespace' },
    ],
    [
      'a webhook',
      400,
      statusOf(400, 'BadRequest', { message: 'admission webhook "deny.example.com" denied the request: no' }),
      { kind: 'denied', webhook: 'deny.example.com', permanent: true },
    ],
    [
      'pod security',
      403,
      statusOf(403, 'Forbidden', { message: 'violates PodSecurity "restricted"' }),
      { kind: 'denied' },
    ],
    [
      'an absent object',
      404,
      statusOf(404, 'NotFound', { details: { name: 'x', kind: 'configmaps' } }),
      { kind: 'not-found' },
    ],
    [
      'an absent namespace',
      404,
      statusOf(404, 'NotFound', { details: { name: 'n', kind: 'namespaces' } }),
      { kind: 'no-namespace' },
    ],
    ['an absent kind', 404, '404 page not found\n', { kind: 'no-resource' }],
    ['managers', 409, conflict, { kind: 'conflict', conflictManagers: ['kubectl-edit'], permanent: true }],
    ['another version', 409, modified, { kind: 'changed', conflictManagers: [], permanent: false }],
    ['an object that exists', 409, statusOf(409, 'AlreadyExists'), { kind: 'already-exists' }],
    ['an old version', 410, statusOf(410, 'Expired'), { kind: 'expired' }],
    ['a bad value', 422, badLabel, { kind: 'invalid', permanent: true }],
    [
      'an immutable field',
      422,
      statusOf(422, 'Invalid', { message: 'data: Forbidden: field is immutable when `immutable` is set' }),
      { kind: 'immutable' },
    ],
    [
      'load',
      429,
      statusOf(429, 'TooManyRequests', { details: { retryAfterSeconds: 3 } }),
      { kind: 'throttled', retryAfterMs: 3000 },
    ],
    ['a wrong type', 500, typed, { kind: 'typed-patch', permanent: true }],
    [
      'a field that the version of an entry lacks',
      500,
      statusOf(500, '', {
        message:
          'failed to prune fields: failed add back owned items: failed to convert pruned object at version e/v1beta1: .spec.size: field not declared in schema',
      }),
      { kind: 'typed-patch', permanent: true },
    ],
    [
      'an old entry',
      500,
      statusOf(500, '', { message: 'request to convert CR to an invalid group/version: v1' }),
      { kind: 'entry-version' },
    ],
    [
      'size',
      500,
      statusOf(500, '', { message: 'etcdserver: request is too large' }),
      { kind: 'too-large', permanent: true },
    ],
    ['trouble', 500, statusOf(500, 'InternalError'), { kind: 'server', permanent: false }],
    ['a late server', 504, statusOf(504, 'Timeout'), { kind: 'timeout', outcomeUnknown: true }],
    [
      'a version of the future',
      504,
      statusOf(504, 'Timeout', {
        details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large' }], retryAfterSeconds: 1 },
      }),
      { kind: 'version-too-large', retryAfterMs: 1000, outcomeUnknown: false },
    ],
    ['a login page', 302, '<html>', { kind: 'protocol' }],
  ])('because of %s has its kind', (_name, status, body, expected) => {
    expect(failure(status, body)).toMatchObject({ status, ...expected });
    const error = kubeError(failure(status, body), {
      verb: 'patch',
      resource: CONFIG_MAPS,
      namespace: 'team',
      name: 'x',
    });
    expect(error.code).toMatch(/^SOTTO-KUBE-\d{3}$/);
  });

  it('about a Secret keeps no text of the server, neither in the facts nor in the bytes', () => {
    for (const body of [typed, badLabel, conflict]) {
      const bytes = Buffer.from(JSON.stringify(body));
      const facts = failureFromAnswer(
        { kind: 'answer', status: Number(body['code']), retryAfterMs: undefined, bytes },
        true,
      );
      const error = kubeError(facts, { verb: 'patch', resource: SECRETS, namespace: 'team', name: 'x' });
      for (const text of [JSON.stringify(facts), error.text(), bytes.toString()]) {
        expect(text).not.toMatch(/987654321|hunter2/);
      }
      expect(facts.message).toBeUndefined();
    }
    expect(failure(409, conflict, true).conflictManagers).toEqual(['kubectl-edit']);
    expect(failure(422, badLabel, true).causes).toEqual([{ field: 'metadata.labels', reason: 'FieldValueInvalid' }]);
  });

  it('about a Secret drops field paths that no Secret has: a webhook may write anything there', () => {
    const body = statusOf(422, 'Invalid', {
      details: { causes: [{ reason: 'x', field: 'value hunter2' }, { field: 'data[tls.key]' }] },
    });
    expect(failure(422, body, true).causes.map(({ field }) => field)).toEqual(['', 'data[tls.key]']);
  });

  it('names managers in plain characters only', () => {
    const message = 'conflict with "evil\u202e\n\\"name" using v1';
    const body = statusOf(409, 'Conflict', {
      details: { causes: [{ reason: 'FieldManagerConflict', message, field: '.data.a' }] },
    });
    expect(failure(409, body)).toMatchObject({ kind: 'conflict', conflictManagers: ['evil'] });
  });

  it('about anything else keeps one short line', () => {
    expect(failure(422, badLabel).message).toContain('hunter2!');
    expect(shortText(`a\u0007\u202eb\n${'x'.repeat(1000)}`)).toHaveLength(401);
    expect(shortText('a\u001b[31mb')).toBe('a [31mb');
  });

  it('prints the missing rule of the verb the server names', () => {
    const forbidden = failure(
      403,
      statusOf(403, 'Forbidden', { message: 'User "u" cannot create resource "configmaps"' }),
    );
    const error = kubeError(forbidden, {
      verb: 'patch',
      resource: CONFIG_MAPS,
      namespace: 'team',
      name: 'x',
      user: 'me',
    });
    expect(error.next).toBe('add to its Role: { apiGroups: [""], resources: ["configmaps"], verbs: ["create"] }');
  });

  it.each(['impersonate', 'impersonate-on:serviceaccount:patch'])(
    'to %s names the account and the rule for it, not the kind that was written',
    (verb) => {
      const asked = { verb: 'patch', resource: CONFIG_MAPS, namespace: 'app', name: 'a' } as const;
      const user = 'system:serviceaccount:team:deployer';
      const message = `User "u" cannot ${verb} resource "serviceaccounts" in API group ""`;
      const refused = statusOf(403, 'Forbidden', { message });
      const error = kubeError(failure(403, refused), { ...asked, user });
      expect(error.text()).toContain(user);
      expect(error.next).toBe(
        'add to a Role of the agent in namespace team: { apiGroups: [""], resources: ["serviceaccounts"], resourceNames: ["deployer"], verbs: ["impersonate"] }',
      );
    },
  );
});
