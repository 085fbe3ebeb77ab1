import type { CodeEntry } from './entry.ts';

export const PLAN_CODES = {
  'SOTTO-PLAN-001': {
    title: 'The object exists and is not managed by sotto',
    explain:
      'First contact changes nothing unasked. With adopt: equal an object is taken over when the apply would change nothing; otherwise it is left alone until you decide.',
    example: 'sotto diff -n team-app',
  },
  'SOTTO-PLAN-002': {
    title: 'The object is cluster-scoped',
    explain:
      'sotto has the rights of one namespace. CRDs, ClusterRoles and the like are installed by the platform team; name them under skip so that they are no error.',
  },
  'SOTTO-PLAN-003': {
    title: 'The object belongs to another namespace',
    explain: 'An agent applies into its target namespace only. Objects of other namespaces belong to the agents there.',
  },
  'SOTTO-PLAN-004': {
    title: 'A Secret stands in Git in plain text',
    explain:
      'Everybody who can read the repository, its mirrors and its history can read it. Encrypt the file, change the values, or set plaintextSecrets: allow.',
  },
  'SOTTO-PLAN-005': {
    title: 'The commit would remove too much',
    explain:
      'The plan is held whole, creates included: it would prune everything or more than prune.maxShare of what this sync applied. Nothing changes until the commit is corrected or the limits in the settings allow it.',
  },
  'SOTTO-PLAN-006': {
    title: 'The object belongs to another tool',
    explain:
      'Its labels, annotations or field managers name another GitOps tool, Helm or another agent. Two tools that apply one object fight; decide for one of them.',
  },
  'SOTTO-PLAN-007': {
    title: 'Pruning waits until everything can be read',
    explain:
      'A file could not be read, opened or rendered. Until it can, nothing of this sync is pruned: an object may only look as if it had left Git.',
  },
  'SOTTO-PLAN-008': {
    title: 'The object is pruned only when somebody asks',
    explain:
      'PersistentVolumeClaims and the kinds in prune.ask hold data; they stay when they leave Git until they are removed by hand.',
  },
  'SOTTO-PLAN-009': {
    title: 'The inventory was lost or changed',
    explain:
      'The record of what sotto applied is missing or does not carry a valid signature. Nothing is pruned until every object of Git was applied again and the record is made anew.',
  },
  'SOTTO-PLAN-010': {
    title: 'Another agent is at work in this namespace',
    explain:
      'The inventory names a live agent. Two agents would correct each other, so the newcomer waits. --take-over ends the other one.',
  },
  'SOTTO-PLAN-011': {
    title: 'Not ready in time',
    explain:
      'The object was applied, but did not become ready within timeout of its sync. What it waits for stands in its own status and Events; the sync counts as degraded until it is ready.',
    example: 'sotto why deploy/web -n team-app',
  },
  'SOTTO-PLAN-012': {
    title: 'A correction is undone again and again',
    explain:
      'Another manager writes the same fields each time sotto restores them. Corrections of this object are slowed down; decide who owns the field.',
  },
  'SOTTO-PLAN-013': {
    title: 'The object is too large',
    explain:
      'The API server takes at most about 1.5 MB for one object. Split it; a namespace whose inventory is too large is divided between two agents.',
  },
} as const satisfies Record<string, CodeEntry>;
