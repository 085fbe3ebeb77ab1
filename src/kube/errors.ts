import type { Code } from '../core/codes.ts';
import { SottoError } from '../core/errors.ts';
import { displayObject } from '../core/ids.ts';
import { shellWord } from '../core/shell-word.ts';
import type { FailureKind, KubeFailure } from './failure.ts';
import { objectIdIn, resourceText } from './resource.ts';
import { serviceAccountOf } from './service-account.ts';
import type { Resource } from './resource.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

/** What was asked when it failed. */
export interface Asked {
  readonly verb: Verb;
  readonly resource: Resource;
  readonly namespace: string;
  readonly name?: string | undefined;
  /** As `Connection.user` says it. */
  readonly user?: string | undefined;
}

interface Text {
  readonly code: Code;
  readonly what: string;
  readonly why: string;
  readonly next: string;
}

/** A failure as a person reads it. Holds no text of the server about a Secret: the failure has none. */
export function kubeError(failure: KubeFailure, asked: Asked): SottoError {
  const { resource, namespace, name } = asked;
  const object = name === undefined ? undefined : displayObject(objectIdIn(resource, namespace, name));
  return new SottoError({ ...TEXTS[failure.kind](failure, asked), object });
}

/** The rule as it is pasted into a Role. */
export function missingRule(verb: string, resource: Pick<Resource, 'group' | 'plural'>): string {
  return `{ apiGroups: ["${resource.group}"], resources: ["${resource.plural}"], verbs: ["${verb}"] }`;
}

type TextOf = (failure: KubeFailure, asked: Asked) => Text;

const unreachable: TextOf = (failure) => ({
  code: 'SOTTO-KUBE-001',
  what: 'The API server cannot be reached',
  why: failure.status === 0 ? failure.reason : `it gave up after its own deadline (HTTP ${failure.status})`,
  next: 'it is tried again; kubectl version shows whether the server answers',
});

const notOfAnApiServer: TextOf = (failure) => ({
  code: 'SOTTO-KUBE-017',
  what: 'The answer is not one of a Kubernetes API server',
  why: failure.status === 0 ? failure.reason : (failure.message ?? `HTTP ${failure.status}`),
  next: 'check the server address in the kubeconfig: kubectl cluster-info',
});

const TEXTS: Readonly<Record<FailureKind, TextOf>> = {
  unreachable,
  timeout: unreachable,
  aborted: unreachable,
  protocol: notOfAnApiServer,
  expired: notOfAnApiServer,
  'version-too-large': notOfAnApiServer,
  unauthorized: (_failure, asked) => ({
    code: 'SOTTO-KUBE-002',
    what: 'The API server does not accept the credentials',
    why: asked.user ?? 'token or certificate refused',
    next: 'kubectl auth whoami',
  }),
  forbidden: (failure, asked) => {
    const verb = failure.missingVerb ?? asked.verb;
    if (verb.startsWith('impersonate')) return notActingAs(asked.user ?? '');
    return {
      code: 'SOTTO-KUBE-003',
      what: `No right to ${verb} ${resourceText(asked.resource)} in namespace ${asked.namespace}`,
      why: `RBAC refuses ${asked.user ?? 'the account used'}`,
      next: `add to its Role: ${missingRule(verb, asked.resource)}`,
    };
  },
  denied: (failure, asked) => ({
    code: 'SOTTO-KUBE-014',
    what: `Admission refuses ${targetOf(asked)}`,
    why:
      failure.webhook === undefined ? (failure.message ?? fieldsOf(failure)) : `webhook ${failure.webhook} denied it`,
    next: asked.resource.secret
      ? 'ask whoever runs the policy: the text of the server is left out, because it may repeat values'
      : 'change the object so that the policy accepts it',
  }),
  'terminating-namespace': (_failure, asked) => ({
    code: 'SOTTO-KUBE-013',
    what: `Namespace ${asked.namespace} is being deleted`,
    why: 'nothing new can be made in it',
    next: `kubectl get namespace ${asked.namespace} -o yaml`,
  }),
  quota: (failure, asked) => ({
    code: 'SOTTO-KUBE-012',
    what: `The quota of namespace ${asked.namespace} refuses ${targetOf(asked)}`,
    why: failure.message ?? 'a ResourceQuota is used up',
    next: `kubectl -n ${asked.namespace} describe resourcequota`,
  }),
  'not-found': (_failure, asked) => ({
    code: 'SOTTO-KUBE-006',
    what: `${targetOf(asked)} does not exist`,
    why: `namespace ${asked.namespace} has none`,
    next: `kubectl -n ${asked.namespace} get ${resourceText(asked.resource)}`,
  }),
  'no-namespace': (_failure, asked) => ({
    code: 'SOTTO-KUBE-008',
    what: `Namespace ${asked.namespace} does not exist`,
    why: 'sotto does not make namespaces',
    next: `kubectl create namespace ${asked.namespace}`,
  }),
  'no-resource': (_failure, { resource }) => ({
    code: 'SOTTO-KUBE-007',
    what: `${resource.kind} is not served`,
    why: `the API server has no ${resourceText(resource)} in version ${resource.version}`,
    next: `kubectl api-resources --api-group='${resource.group}'`,
  }),
  conflict: (failure, asked) => ({
    code: 'SOTTO-KUBE-004',
    what: `Fields of ${targetOf(asked)} are owned by somebody else`,
    why: `managers: ${failure.conflictManagers.join(', ')}; ${fieldsOf(failure)}`,
    next: `${kubectlGet(asked)} --show-managed-fields -o yaml`,
  }),
  changed: (_failure, asked) => ({
    code: 'SOTTO-KUBE-005',
    what: `${targetOf(asked)} was changed meanwhile`,
    why: 'its uid or resource version is another one now',
    next: 'it is read again and judged anew',
  }),
  'already-exists': (_failure, asked) => ({
    code: 'SOTTO-KUBE-026',
    what: `${targetOf(asked)} exists already`,
    why: 'it was made by somebody else',
    next: kubectlGet(asked),
  }),
  invalid: (failure, asked) => ({
    code: 'SOTTO-KUBE-009',
    what: `The API server refuses ${targetOf(asked)} as invalid`,
    why: failure.message ?? fieldsOf(failure),
    next: 'correct the manifest',
  }),
  immutable: (failure, asked) => ({
    code: 'SOTTO-KUBE-010',
    what: `A field of ${targetOf(asked)} cannot be changed`,
    why: failure.message ?? fieldsOf(failure),
    next: 'take the change back, or annotate the manifest with sotto.dev/recreate: allowed: the object is then made anew',
  }),
  'typed-patch': (failure, asked) => ({
    code: 'SOTTO-KUBE-011',
    what: `${targetOf(asked)} does not fit its schema`,
    why: failure.message ?? 'a field is unknown, has the wrong type, or a list holds the same key twice',
    next: 'correct the manifest',
  }),
  'entry-version': (failure, asked) => ({
    code: 'SOTTO-KUBE-025',
    what: `${targetOf(asked)} has managedFields of a version no longer served`,
    why: failure.message ?? 'the server cannot convert them',
    next: `${kubectlGet(asked)} --show-managed-fields -o yaml`,
  }),
  throttled: (failure) => ({
    code: 'SOTTO-KUBE-015',
    what: 'The API server asks to wait',
    why: `it answered ${failure.status}`,
    next: 'the request is sent again',
  }),
  'too-large': (_failure, asked) => ({
    code: 'SOTTO-KUBE-018',
    what: `${targetOf(asked)} is too large`,
    why: 'the server stores about 1.5 MiB',
    next: 'split it',
  }),
  server: (failure, asked) => ({
    code: 'SOTTO-KUBE-016',
    what: `The API server failed on ${targetOf(asked)}`,
    why:
      failure.webhook === undefined
        ? (failure.message ?? `it answered ${failure.status}`)
        : `it could not call webhook ${failure.webhook}`,
    next: 'it is tried again',
  }),
};

/** The right to write as another account is missing, and nothing was asked as that account. */
function notActingAs(user: string): Text {
  const account = serviceAccountOf(user);
  const rule = `{ apiGroups: [""], resources: ["serviceaccounts"], resourceNames: ["${account?.name ?? user}"], verbs: ["impersonate"] }`;
  return {
    code: 'SOTTO-KUBE-003',
    what: `No right to act as ${user}`,
    why: 'serviceAccountName of the sync names this account, and RBAC does not let the agent impersonate it',
    next: `add to a Role of the agent in namespace ${account?.namespace ?? '?'}: ${rule}`,
  };
}

function kubectlGet(asked: Asked): string {
  const name = asked.name === undefined ? '' : ` ${shellWord(asked.name)}`;
  return `kubectl -n ${asked.namespace} get ${resourceText(asked.resource)}${name}`;
}

function fieldsOf(failure: KubeFailure): string {
  const fields = [...new Set(failure.causes.map((cause) => cause.field).filter((field) => field !== ''))];
  if (fields.length > 0) return `fields: ${fields.slice(0, 10).join(', ')}`;
  return failure.reason === '' ? `HTTP ${failure.status}` : `reason ${failure.reason}`;
}

function targetOf(asked: Asked): string {
  return asked.name === undefined ? resourceText(asked.resource) : `${asked.resource.kind} ${asked.name}`;
}
