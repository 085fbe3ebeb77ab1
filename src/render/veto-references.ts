import { ORIGIN_ANNOTATION, STOCK_SEALING_LABEL, USE_LABEL } from '../keys/marks.ts';
import { POD_SPEC_PATHS } from './normalise.ts';
import { type Finding, isBesideKeys, type Vetoed, type VetoRules } from './veto-rules.ts';
import { type Member, membersOf, namesIn, textAt } from './veto-walk.ts';

/** Groups whose fields we know: there a Secret is referred to by a field that says so. Everything else is custom. */
const KNOWN_GROUPS: ReadonlySet<string> = new Set([
  '',
  'apps',
  'autoscaling',
  'batch',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'resource.k8s.io',
  'storage.k8s.io',
]);

const MARKS: readonly string[] = [USE_LABEL, STOCK_SEALING_LABEL, ORIGIN_ANNOTATION];
const SECRET_FIELD = /secret/i;
const ACCOUNT_FIELD = /service-?account/i;
/** Text of others, and no reference to anything. */
const HOLDS_TEXT: ReadonlySet<string> = new Set(['ConfigMap', 'Secret']);

/** A mark that makes a Secret a key, on a Secret or in a custom resource, of which its controller may make one. */
export function keyLabel({ id, tree }: Vetoed): Finding | undefined {
  const isSecret = id.group === '' && id.kind === 'Secret';
  if (!isSecret && KNOWN_GROUPS.has(id.group)) return undefined;
  for (const { path, key, value } of membersOf(tree)) {
    const mark = MARKS.find((each) => each === key || (!isSecret && each === value));
    // The labels of a custom resource itself mark nothing; what it makes has them elsewhere.
    if (mark === undefined || (path[0] === 'metadata') !== isSecret) continue;
    return { what: `${isSecret ? 'the Secret carries' : 'the object makes a Secret with'} the mark ${mark}`, path };
  }
  return undefined;
}

/**
 * A reference to a key, fingerprint or credential Secret: in known kinds every field that names Secrets, wherever it
 * stands; in custom ones any text that is such a name, because nobody knows what their controllers read.
 */
export function keyMount({ id, tree }: Vetoed, rules: VetoRules): Finding | undefined {
  if (!isBesideKeys(rules) || isText(id)) return undefined;
  const isProtected = (name: string): boolean => rules.namedSecrets.has(name) || rules.markedSecrets.has(name);
  const isCustom = !KNOWN_GROUPS.has(id.group);
  for (const member of membersOf(tree)) {
    if (isOwnName(member.path)) continue;
    const names = isCustom && typeof member.value === 'string' ? [member.value] : secretNames(member);
    const name = names.flatMap((text) => partsOf(text, rules.agentNamespace)).find(isProtected);
    if (name !== undefined)
      return { what: `the object refers to Secret ${name}, a key or credential of the agent`, path: member.path };
  }
  return undefined;
}

function isText(id: Vetoed['id']): boolean {
  return id.group === '' && HOLDS_TEXT.has(id.kind);
}

function isOwnName([first, second]: readonly string[]): boolean {
  return first === 'metadata' && (second === 'name' || second === 'namespace' || second === 'labels');
}

function secretNames({ key, value }: Member): string[] {
  if (SECRET_FIELD.test(key)) return namesIn(value);
  return textAt(value, 'kind') === 'Secret' ? namesIn(value) : [];
}

/** `name`, `namespace/name`, and lists of them as annotations have them. */
function partsOf(text: string, namespace: string): string[] {
  return text
    .split(/[\s,;]+/)
    .map((part) => (part.startsWith(`${namespace}/`) ? part.slice(namespace.length + 1) : part));
}

/** Subjects of bindings are told apart from accounts that are used. */
const JUDGED_ELSEWHERE: ReadonlySet<string> = new Set(['rbac.authorization.k8s.io', 'authorization.openshift.io']);

/** Runs as the agent's account, or asks for a token of it. */
export function agentAccount({ id, tree }: Vetoed, rules: VetoRules): Finding | undefined {
  if (!isBesideKeys(rules) || JUDGED_ELSEWHERE.has(id.group) || (id.group === '' && id.kind === 'ConfigMap'))
    return undefined;
  for (const member of membersOf(tree)) {
    if (isOwnName(member.path)) continue;
    const name = accountNames(member)
      .map((text) => text.slice(1 + Math.max(text.lastIndexOf('/'), text.lastIndexOf(':'))))
      .find((each) => rules.accounts.includes(each));
    if (name !== undefined)
      return { what: `the object uses ServiceAccount ${name}, the agent’s own`, path: member.path };
  }
  return defaultAccount({ id, tree }, rules);
}

function accountNames({ key, value }: Member): string[] {
  if (ACCOUNT_FIELD.test(key)) return namesIn(value);
  return textAt(value, 'kind') === 'ServiceAccount' ? namesIn(value) : [];
}

/** Pods that name no account run as `default`: a veto only where the agent does too. */
function defaultAccount({ id, tree }: Vetoed, rules: VetoRules): Finding | undefined {
  const path = POD_SPEC_PATHS[`${id.group}/${id.kind}`];
  if (path === undefined || !rules.accounts.includes('default')) return undefined;
  const named = ['serviceAccountName', 'serviceAccount'].some((field) => (textAt(tree, ...path, field) ?? '') !== '');
  return named ? undefined : { what: 'the Pods run as ServiceAccount default, the agent’s own', path };
}
