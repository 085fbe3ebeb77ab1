import type { ToolName } from '../../src/demo/tools.ts';

/** What the tests of today run against; a tool that no test needs is not built. */
export const NEEDED_TOOLS = [
  'kube-apiserver',
  'etcd',
  'kube-controller-manager',
  'kwok',
  'kubectl',
  'sops',
  'age',
  'age-keygen',
  'kubeseal',
  'sealed-secrets-controller',
  'kustomize',
  'flux-substitute',
  'transit',
] as const satisfies readonly ToolName[];
