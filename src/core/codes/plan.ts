import type { CodeEntry } from './entry.ts';

export const PLAN_CODES = {
  'SOTTO-PLAN-001': {
    title: 'The object exists and is not managed by sotto',
    explain:
      'First contact changes nothing unasked. With adopt: equal an object is taken over when the apply would change nothing; otherwise it is left alone until you decide: sotto diff shows what differs, sotto adopt takes it over.',
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
      'The plan is held whole, creates included: it would prune everything or more than prune.maxShare of what this sync applied. Nothing changes until the commit is corrected, somebody says yes to exactly this plan (sotto approve, with the id from sotto status), or the limits in the settings allow it.',
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
      'PersistentVolumeClaims and the kinds in prune.ask hold data; they stay when they leave Git until somebody says yes (sotto approve, with the id from sotto status) or removes them by hand. The rest of the commit does not wait for that.',
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
  'SOTTO-PLAN-040': {
    title: 'A request cannot be used',
    explain:
      'What stands in ConfigMap sotto-requests is not a request of this version: not JSON, an unknown kind or field, an object that is not GROUP/KIND/NAME, or an end that is past or more than 90 days away. The agent says so in its status and removes the entry.',
  },
  'SOTTO-PLAN-041': {
    title: 'A request names something the agent does not have',
    explain:
      'The object is not among those that sotto applied or was asked to apply, or the settings have no sync of that name. sotto status lists both.',
  },
  'SOTTO-PLAN-042': {
    title: 'The plan is not pending',
    explain:
      'A yes covers exactly one plan: one commit with its steps. A newer commit, other settings or a prune that was done meanwhile make another plan with another id; look at that one and decide again.',
  },
  'SOTTO-PLAN-043': {
    title: 'The object is paused',
    explain: 'A paused object is neither changed nor deleted until the pause ends or somebody resumes it.',
  },
  'SOTTO-PLAN-044': {
    title: 'The object cannot be adopted',
    explain:
      'Only an object that exists, is in Git, and belongs to nobody can be taken over. One that carries the marks of another tool is taken from it with --from TOOL only.',
  },
  'SOTTO-PLAN-045': {
    title: 'The sync is at rest',
    explain: 'A sync that is suspended by the settings or paused makes no pass. Resume it first.',
  },
  'SOTTO-PLAN-046': {
    title: 'The name cannot be the name of an object',
    explain:
      'A name stands in paths of the API server and in ids, so the API server takes none that is a dot or two, or that holds a slash or a percent sign. sotto refuses such a manifest, and one with invisible characters in the name, before anything looks for an object of that name.',
  },
  'SOTTO-PLAN-020': {
    title: 'The object is the agent’s own',
    explain:
      'Deployment, account, Role, Service, settings, records, keys and credentials of the agent are not changed from Git, nor is anything applied that would pass for the agent. This veto cannot be lifted: give the object another name, or change the agent where it was installed.',
  },
  'SOTTO-PLAN-021': {
    title: 'The object refers to a key or credential of the agent',
    explain:
      'A workload that mounts or reads a key, fingerprint or credential Secret could hand it to whoever may push. In custom resources, annotations and attributes of volume drivers the name of such a Secret counts as a word of any text, because nobody can know what is read there. vetoes.allow: [ key-mount ] lifts it.',
  },
  'SOTTO-PLAN-022': {
    title: 'The object uses the account of the agent',
    explain:
      'Pods that run as the agent’s ServiceAccount, and Secrets that would get a token of it, may read every Secret that the agent may read. Give the workload an account of its own. vetoes.allow: [ agent-account ] lifts it.',
  },
  'SOTTO-PLAN-023': {
    title: 'The rights lead to the agent or its keys',
    explain:
      'A Role or RoleBinding from Git touches the agent, or grants rights on Secrets, impersonation, tokens, or (where the keys are) on Pods, workloads and the agent’s ConfigMaps. docs/threat-model.md has the list. Have the platform team apply it, or lift the veto: vetoes.allow: [ agent-rbac ].',
  },
  'SOTTO-PLAN-024': {
    title: 'The manifest marks a Secret as a key',
    explain:
      'The labels sotto.dev/use and sealedsecrets.bitnami.com/sealed-secrets-key and the annotation sotto.dev/origin make a Secret one of the agent’s own keys or credentials. They are set on live Secrets by whoever installed the agent. vetoes.allow: [ key-label ] lets Git bring such Secrets.',
  },
  'SOTTO-PLAN-060': {
    title: 'The object waits for another one',
    explain:
      'It is applied as soon as what it depends on is ready: objects that config.kubernetes.io/depends-on names, Secrets and ConfigMaps its Pods need, and everything of an earlier wave or hook. Nothing has to be done; everything that does not depend on it goes on.',
  },
  'SOTTO-PLAN-061': {
    title: 'What the object depends on is not there',
    explain:
      'An object that this one depends on was refused, has failed, or did not become ready within timeout of its sync. This one keeps its last good state until then and is applied by itself once the other is ready.',
    example: 'sotto why job/migrate -n team-app',
  },
  'SOTTO-PLAN-062': {
    title: 'Objects wait for each other in a circle',
    explain:
      'Each of them would have to be ready before the other is applied, so none ever is. The error names all of them with their places in Git. They keep their last good state, as does what depends on them; everything else goes on. An object whose wave comes before the wave of what it needs is such a circle too.',
  },
  'SOTTO-PLAN-063': {
    title: 'The place in the order cannot be read',
    explain:
      'config.kubernetes.io/depends-on names objects of the same sync in the form group/namespaces/NAMESPACE/Kind/name; a wave is a whole number. An object whose place is not certain is not applied: it may need what is not there yet.',
  },
  'SOTTO-PLAN-064': {
    title: 'The hook is not run',
    explain:
      'Hooks of Argo CD and Helm are taken as places in the order where a sync has such a place (docs/order.md has the table). Hooks that run when something is deleted, rolled back, tested or has failed have none, and an object that is to run at no moment of a sync is not applied.',
  },
  'SOTTO-PLAN-070': {
    title: 'A health expression cannot be used',
    explain:
      'syncs[].health.expressions take a part of CEL that always ends soon: fields of the object, comparisons, &&, ||, !, ?:, in, has(), size(), startsWith(), endsWith(), contains(), and all(), exists(), exists_one() and filter() over lists. There is one entry for a kind, and none for Secrets, of which only the metadata is read. docs/health.md has the whole of it.',
  },
  'SOTTO-PLAN-071': {
    title: 'A health expression says nothing of an object',
    explain:
      'The object is such that the expression cannot be evaluated: a field has another type than expected, the result is neither true nor false, or the object is too large. Its health is unknown, which counts as not ready; everything else goes on. Correct the expression in syncs[].health.expressions.',
  },
  'SOTTO-PLAN-080': {
    title: 'An immutable object holds more than Git has',
    explain:
      'An immutable Secret or ConfigMap is deleted and made anew when Git changes it. Somebody else has put keys into this one that Git does not have, and they would be lost; so it stays as it is until they are in Git or the manifest says sotto.dev/recreate: allowed.',
  },
  'SOTTO-PLAN-081': {
    title: 'The object is made anew when it is gone',
    explain:
      'A field that cannot be changed in place was changed in Git, so the object was deleted. It still has finalizers, or something took its name meanwhile. It is tried again until it can be made.',
  },
  'SOTTO-PLAN-082': {
    title: 'Labelled objects are not in Git',
    explain:
      'They carry the label of this agent and its field manager, and no sync has them: the inventory was lost after they left Git, or their sync left the settings with deletionPolicy: orphan. Nothing is done with them unasked. sotto prune --orphans deletes them, sotto adopt --orphans puts them under a sync, where Git decides; sotto.dev/prune: disabled on the object ends the report.',
  },
  'SOTTO-PLAN-083': {
    title: 'Pruning of configuration waits for a rollout',
    explain:
      'ConfigMaps, Secrets, ServiceAccounts and Roles are pruned last, and not while a Deployment, StatefulSet or DaemonSet of the sync is not ready: Pods of the version before still run, start again, and need what they were started with. The prune follows by itself when the rollout is done.',
  },
  'SOTTO-PLAN-084': {
    title: 'The object is still used',
    explain:
      'A live workload of this agent refers to the object by name, though Git does not have the object any more. It may be paused in an older version, or Git forgot one of the two. The object is pruned when nothing that runs refers to it.',
  },
  'SOTTO-PLAN-085': {
    title: 'Pods are not replaced on a change',
    explain:
      'sotto.dev/restart-on-change: "true" belongs on a Deployment, StatefulSet or DaemonSet (docs/annotations.md). A Job cannot be changed, and the next Job of a CronJob reads anew by itself. The annotation sotto.dev/secrets-digest of the Pod template is written by the agent and must not stand in Git. The object is applied, and is not restarted.',
  },
  'SOTTO-PLAN-100': {
    title: 'The annotation sotto.dev/drift says nothing that is known',
    explain:
      'Its values are ignore, fields, guard and exact (docs/annotations.md). The object is applied, and its changes are judged by the policy of the sync until the annotation is corrected.',
  },
  'SOTTO-PLAN-120': {
    title: 'The sync waits for another one',
    explain:
      'A sync that its dependsOn names has not applied its newest commit yet, or not all of its objects are ready. Nothing of the new commit is applied before that, and nothing is pruned; what was applied before is kept as it was, drift included. The sync goes on by itself.',
    example: 'sotto status -n team-app --watch',
  },
  'SOTTO-PLAN-121': {
    title: 'The sync waits for one that has to be mended',
    explain:
      'A sync that its dependsOn names is Degraded, Stalled, Held or Suspended: time alone does not make it ready. Nothing of the new commit of this one is applied, nothing is pruned; what was applied before is kept as it was. It goes on by itself when the other one is Ready.',
    example: 'sotto status -n team-app',
  },
  'SOTTO-PLAN-140': {
    title: 'Pods of workloads cannot be looked at',
    explain:
      'With health.strict: true the agent lists and watches Pods and ReplicaSets of the namespace while a workload is not ready, to tell an image that cannot be had. Its Role does not allow that. Everything else goes on, and such a workload fails when its own deadline is over. The Role in deploy/rights/role.yaml has the right.',
  },
  'SOTTO-PLAN-141': {
    title: 'The status has no room for everything',
    explain:
      'The status document holds at most 200 things that need attention, some of each code, and their true number. What sotto why knows of an object beyond those is in the log of the agent only, with every pass.',
  },
} as const satisfies Record<string, CodeEntry>;
