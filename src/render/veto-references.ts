import { KNOWN_GROUPS } from '../core/known-groups.ts';
import { POD_SPEC_PATHS } from '../core/pod-spec.ts';
import { ORIGIN_ANNOTATION, STOCK_SEALING_LABEL, USE_LABEL } from '../keys/marks.ts';
import { type Finding, isBesideKeys, type Vetoed, type VetoRules } from './veto-rules.ts';
import { type Member, membersOf, namesIn, textAt } from './veto-walk.ts';

const MARKS: readonly string[] = [USE_LABEL, STOCK_SEALING_LABEL, ORIGIN_ANNOTATION];
const SECRET_FIELD = /secret/i;
const ACCOUNT_FIELD = /service-?account/i;
/** Their data is text of others, and no reference to anything. */
const HOLDS_TEXT: ReadonlySet<string> = new Set(['ConfigMap', 'Secret']);
/** Fields of known kinds whose text means what some controller or driver makes of it. */
const FOREIGN_TEXT: ReadonlySet<string> = new Set(['annotations', 'volumeAttributes', 'options']);

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
 * stands; in custom ones and in foreign text any word that is such a name, because nobody knows what is read there.
 */
export function keyMount({ id, tree }: Vetoed, rules: VetoRules): Finding | undefined {
  if (!isBesideKeys(rules)) return undefined;
  const isProtected = (name: string): boolean => rules.namedSecrets.has(name) || rules.markedSecrets.has(name);
  const isCustom = !KNOWN_GROUPS.has(id.group);
  if (isCustom && isProtected(id.name)) {
    const what = `the object has the name of Secret ${id.name}, a key or credential of the agent, and may write that Secret`;
    return { what, path: ['metadata', 'name'] };
  }
  for (const member of readMembers({ id, tree })) {
    const names = isForeignText(member, isCustom)
      ? [...(isCustom ? [member.key] : []), ...wordsOf(member.value)]
      : secretNames(member).flatMap((text) => partsOf(text, rules.agentNamespace));
    const name = names.find(isProtected);
    if (name !== undefined)
      return { what: `the object refers to Secret ${name}, a key or credential of the agent`, path: member.path };
  }
  return undefined;
}

/** Members that somebody may act upon: of ConfigMaps and Secrets not what they hold. */
function* readMembers({ id, tree }: Vetoed): Generator<Member> {
  const holdsText = id.group === '' && HOLDS_TEXT.has(id.kind);
  for (const member of membersOf(tree)) {
    if (!isOwnName(member.path) && (!holdsText || member.path[0] === 'metadata')) yield member;
  }
}

function isOwnName([first, second]: readonly string[]): boolean {
  return first === 'metadata' && (second === 'name' || second === 'namespace' || second === 'labels');
}

function isForeignText({ path }: Member, isCustom: boolean): boolean {
  return isCustom || path.some((step) => FOREIGN_TEXT.has(step));
}

/** What could be a name: `team/db`, JSON, whole manifests and addresses hold some. */
function wordsOf(value: Member['value']): string[] {
  if (typeof value !== 'string') return [];
  return value.split(/[^A-Za-z0-9.-]+/).map((word) => word.replace(/^[.-]|[.-]$/g, ''));
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
  if (!isBesideKeys(rules) || JUDGED_ELSEWHERE.has(id.group)) return undefined;
  const isCustom = !KNOWN_GROUPS.has(id.group);
  for (const member of readMembers({ id, tree })) {
    const inText = isForeignText(member, isCustom) ? accountsInText(member.value, rules.agentNamespace) : [];
    const named = accountNames(member).map((text) =>
      text.slice(1 + Math.max(text.lastIndexOf('/'), text.lastIndexOf(':'))),
    );
    const name = [...named, ...inText].find((each) => rules.accounts.includes(each));
    if (name !== undefined)
      return { what: `the object uses ServiceAccount ${name}, the agent’s own`, path: member.path };
  }
  return defaultAccount({ id, tree }, rules);
}

const ACCOUNT_IN_TEXT =
  /system:serviceaccount:(?<namespace>[a-z0-9-]+):(?<user>[a-z0-9.-]+)|service-?account(?:-?name)?["']?\s*[:=]\s*["']?(?<field>[a-z0-9.-]+)/gi;

/** As a user, or as manifests inside of a text name it. */
function accountsInText(value: Member['value'], agentNamespace: string): string[] {
  if (typeof value !== 'string') return [];
  return [...value.matchAll(ACCOUNT_IN_TEXT)].flatMap(({ groups }) => {
    const { namespace, user, field } = groups ?? {};
    return user !== undefined && namespace !== agentNamespace ? [] : [user ?? field ?? ''];
  });
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
