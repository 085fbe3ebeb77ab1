import type { CodeEntry } from './entry.ts';

export const KUBE_CODES = {
  'SOTTO-KUBE-001': {
    title: 'The API server cannot be reached',
    explain:
      'There is no connection to the API server. The agent keeps its state, forgets nothing that was changed meanwhile, and tries again. On the command line it means that the server named in the kubeconfig does not answer.',
  },
  'SOTTO-KUBE-002': {
    title: 'The API server does not know who asks',
    explain:
      'The token or certificate was refused (401), also after it was read again. It has expired, was revoked, or belongs to another cluster.',
    example: 'kubectl auth whoami',
  },
  'SOTTO-KUBE-003': {
    title: 'A right is missing',
    explain:
      'RBAC refuses the request (403). The error prints the rule that is missing; add it to the Role of the account named. Nothing else of the pass is held up. The object is tried again with the next commit, when its kind can be watched that could not be, and by itself: after retryInterval, then less and less often, at last at interval. sotto sync tries it at once.',
    example: 'kubectl auth can-i --list -n team-app --as=system:serviceaccount:team-app:sotto',
  },
  'SOTTO-KUBE-004': {
    title: 'Fields are owned by somebody else',
    explain:
      'Server-side apply without force met fields that other managers own. The managers are named; nothing was changed.',
  },
  'SOTTO-KUBE-005': {
    title: 'The object was changed meanwhile',
    explain:
      'The object is no longer the one that was looked at: its uid or resource version moved. It is read again and judged anew.',
  },
  'SOTTO-KUBE-006': {
    title: 'The object does not exist',
    explain:
      'The API server has no object of this name in this namespace. Check the name, the namespace (-n) and the context of the kubeconfig.',
  },
  'SOTTO-KUBE-007': {
    title: 'The kind is not served',
    explain:
      'The API server has no such kind or not in this version: its CustomResourceDefinition is not installed, or the version was removed. Once it is served the object is applied by itself.',
  },
  'SOTTO-KUBE-008': {
    title: 'The namespace does not exist',
    explain: 'sotto does not make namespaces. Somebody with the right to do so creates it first.',
  },
  'SOTTO-KUBE-009': {
    title: 'The API server refuses the object as invalid',
    explain:
      'A field has a value the API server does not accept. The fields are named; for Secrets the text of the server is left out, because it may repeat values.',
  },
  'SOTTO-KUBE-010': {
    title: 'A field cannot be changed once set',
    explain:
      'The API server keeps this field as it was at creation. Immutable Secrets and ConfigMaps are deleted and made anew. Everything else runs or stores something: take the change back in Git, or let sotto delete the object and make it anew by the annotation sotto.dev/recreate: allowed in its manifest.',
  },
  'SOTTO-KUBE-011': {
    title: 'The object does not fit its schema',
    explain:
      'A field is unknown or has the wrong type, or a list holds the same key twice. The API server says 500, but sending it again cannot help.',
  },
  'SOTTO-KUBE-012': {
    title: 'The quota of the namespace is used up',
    explain:
      'A ResourceQuota refuses the object. It is tried again and applied by itself once there is room; until then everything else goes on.',
    example: 'kubectl describe resourcequota -n team-app',
  },
  'SOTTO-KUBE-013': {
    title: 'The namespace is being deleted',
    explain:
      'Nothing new can be made in a namespace that is terminating. It ends when the finalizers of what is in it are done.',
  },
  'SOTTO-KUBE-014': {
    title: 'Admission refuses the object',
    explain:
      'Pod security, an admission policy or a webhook of the cluster refuses the object. Where a webhook did, it is named.',
  },
  'SOTTO-KUBE-015': {
    title: 'The API server asks to wait',
    explain: 'It is busy or starting (429, 503). The request is sent again after the time it asked for.',
  },
  'SOTTO-KUBE-016': {
    title: 'The API server failed',
    explain: 'It answered with an error of its own (5xx), or a webhook it must call did not answer. It is tried again.',
  },
  'SOTTO-KUBE-017': {
    title: 'The answer is not one of an API server',
    explain:
      'What answered is not a Kubernetes API server, or the answer is larger than the cap. Often a proxy or a login page stands in between.',
  },
  'SOTTO-KUBE-018': {
    title: 'The object is too large',
    explain:
      'The API server stores objects up to about 1.5 MiB, and a ConfigMap or Secret up to 1 MiB. Split it into several.',
  },
  'SOTTO-KUBE-019': {
    title: 'The credentials for the cluster cannot be read',
    explain: 'The kubeconfig, or a file with a token or certificate, is missing, unreadable or not what it should be.',
  },
  'SOTTO-KUBE-020': {
    title: 'No cluster to talk to',
    explain:
      'There is neither a kubeconfig (--kubeconfig, KUBECONFIG, ~/.kube/config) nor the service account of a Pod, so nothing says which cluster is meant.',
  },
  'SOTTO-KUBE-021': {
    title: 'The context does not exist',
    explain:
      'The kubeconfig has no context of this name, or names no current one. A context says which cluster is meant, as whom, and in which namespace.',
    example: 'kubectl config get-contexts',
  },
  'SOTTO-KUBE-022': {
    title: 'The address of the API server cannot be used',
    explain:
      'Only https is used, so that tokens and secrets do not cross a network in clear; http on this machine only.',
  },
  'SOTTO-KUBE-023': {
    title: 'A proxy in the kubeconfig is not supported',
    explain:
      'proxy-url is not in this version: requests go to the API server directly, so that nobody stands in between. Use a context without it.',
  },
  'SOTTO-KUBE-024': {
    title: 'The credential plugin failed',
    explain:
      'The program named under users[].user.exec of the kubeconfig failed, or gave something that cannot be used. Log in again with your provider’s tool.',
  },
  'SOTTO-KUBE-025': {
    title: 'The object has entries of a version no longer served',
    explain:
      'managedFields of the live object name an API version the server has dropped; it refuses every apply until they are rewritten.',
  },
  'SOTTO-KUBE-026': {
    title: 'The object exists already',
    explain:
      'It was to be created, and somebody else was faster. What is there now is looked at as any object that was not made by sotto: nothing of it is changed unasked.',
  },
  'SOTTO-KUBE-046': {
    title: 'What was applied last cannot be used',
    explain:
      'Git does not answer, and the agent was started anew since it did. What it had applied is kept closed in the ConfigMaps sotto-last-N; one of them is missing, was changed by somebody else or written by another version, or the settings of the sync say something else since. It is not used then: changes by hand are undone again when the source answers, and the ConfigMaps are written anew by the next pass.',
    example: 'kubectl get configmaps | grep sotto-last-',
  },
  'SOTTO-KUBE-047': {
    title: 'What was applied last cannot be kept',
    explain:
      'The agent keeps what it has applied, closed, in ConfigMaps sotto-last-N, so that it can undo changes by hand after a restart while Git does not answer. They could not be written, or the objects do not fit into as many as a sync may have. All else goes on; only such a restart would wait for Git.',
  },
} as const satisfies Record<string, CodeEntry>;
