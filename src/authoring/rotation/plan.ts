import { withReplaced } from '../sops-config.ts';
import { SottoError } from '../../core/errors.ts';
import type { FileRecipients, PolicyRule } from '../../sops/policy.ts';
import { coverageOf, plantedRecipients, recipientsOf } from '../coverage.ts';
import type { SealedFile } from '../sealed-file.ts';
import type { CommittedPolicy, EncryptedDocuments, SealedSecretFile, SopsDocument } from './documents.ts';

/** Which age recipient gives way to which. */
export interface RecipientPair {
  readonly old: string;
  readonly made: string;
}

/** What a rotation does, and to what. */
export interface RotationPlan {
  /** `.sops.yaml` files with the text that they get. */
  readonly policies: readonly { readonly policy: CommittedPolicy; readonly text: string }[];
  readonly sops: readonly PlannedSops[];
  readonly sealed: readonly SealedSecretFile[];
  /** What stays as it is, and why. */
  readonly kept: readonly { readonly path: string; readonly why: string }[];
}

export interface PlannedSops {
  readonly file: SealedFile;
  /** Names of keys for which the file shall be, in groups. */
  readonly groups: readonly (readonly string[])[];
  readonly threshold: number;
  /** As the file has them now. */
  readonly before: readonly (readonly string[])[];
}

export interface RotationGoal {
  /** Undefined: no age key is changed. */
  readonly age: RecipientPair | undefined;
  /** Whether SealedSecrets are sealed anew. */
  readonly seals: boolean;
}

/** Pure. Throws SottoError for what must be settled before anything is encrypted for anybody. */
export function planRotation(
  { policies, sops, sealed, unread }: EncryptedDocuments,
  { age, seals }: RotationGoal,
): RotationPlan {
  const [first] = age === undefined ? [] : unread;
  if (first !== undefined) throw passedOver(first.path, first.why);
  const kept: { path: string; why: string }[] = [];
  const planned: PlannedSops[] = [];
  for (const document of sops) {
    const one = age === undefined ? 'no new age key is given' : plannedSops(document, age);
    if (typeof one === 'string') kept.push({ path: document.file.name, why: one });
    else planned.push(one);
  }
  if (!seals) kept.push(...sealed.map(({ path }) => ({ path, why: 'no certificate is given' })));
  const plan = {
    policies: age === undefined ? [] : policies.flatMap((policy) => changedPolicy(policy, age) ?? []),
    sops: planned,
    sealed: seals ? sealed : [],
    kept,
  };
  // Git gives bytes: of those that are no UTF-8 this is left, and it names no file.
  const unnamed = pathsOf(plan).find((path) => path.includes('\uFFFD'));
  if (unnamed !== undefined) throw passedOver(unnamed, 'its path is no UTF-8');
  return plan;
}

function pathsOf({ policies, sops, sealed }: RotationPlan): string[] {
  return [
    ...policies.map(({ policy }) => policy.path),
    ...sops.map(({ file }) => file.name),
    ...sealed.map(({ path }) => path),
  ];
}

/** Age recipients of which one could be meant by the keys at hand, as files and rules name them. Pure. */
export function namedRecipients({ policies, sops }: EncryptedDocuments): ReadonlySet<string> {
  return new Set([
    ...policies.flatMap(({ policy }) => policy.rules.flatMap(({ groups }) => groups.flat())),
    ...sops.flatMap(({ file }) => recipientsOf(file).groups.flat()),
  ]);
}

function changedPolicy(
  policy: CommittedPolicy,
  { old, made }: RecipientPair,
): RotationPlan['policies'][number] | undefined {
  const isNamed = policy.policy.rules.some(({ groups }) => groups.some((group) => group.includes(old)));
  if (!isNamed) return undefined;
  return { policy, text: withReplaced(policy.text, policy.path, { field: 'age', text: old }, made) };
}

/** Or why the file stays as it is. */
function plannedSops({ file, policy }: SopsDocument, pair: RecipientPair): PlannedSops | string {
  const recipients = recipientsOf(file);
  const isFor = (groups: PolicyRule['groups']): boolean => groups.some((group) => group.includes(pair.old));
  const replaced = (groups: PolicyRule['groups']): string[][] =>
    groups.map((group) => [...new Set(group.map((name) => (name === pair.old ? pair.made : name)))]);
  const other = 'it is not for the old key';
  if (policy === undefined) {
    if (!isFor(recipients.groups)) return other;
    const { groups, threshold } = recipients;
    return { file, groups: replaced(groups), threshold, before: groups };
  }
  const coverage = coverageOf(file, policy.policy);
  if ('error' in coverage) throw coverage.error;
  const { rule, difference } = coverage;
  if (!isFor(recipients.groups) && (rule === undefined || !isFor(rule.groups))) return other;
  if (rule === undefined) throw noRule(file.name, policy.path);
  if (difference.planted.length > 0) throw plantedRecipients(coverage, difference.planted, policy.policy);
  const fresh = difference.missing.find((name) => name !== pair.old && name !== pair.made);
  if (fresh !== undefined)
    throw wider(file.name, policy.path, `by the rule ${fresh.slice(0, 100)} would get the values of the file`);
  if (comesIn(pair, recipients.groups, rule.groups))
    throw wider(file.name, policy.path, `by the rule the new key would come where the file does not have ${pair.old}`);
  if (isLooser(rule, recipients))
    throw wider(file.name, policy.path, 'by the rule fewer people than now would open the file together');
  return { file, groups: replaced(rule.groups), threshold: rule.threshold, before: recipients.groups };
}

/** The new key is for who had the old one, in the groups where it was; after an interruption the new one is there. */
function comesIn({ old, made }: RecipientPair, now: PolicyRule['groups'], wanted: PolicyRule['groups']): boolean {
  const isOwn = (group: readonly string[] = []): boolean => group.includes(old) || group.includes(made);
  if (now.length !== wanted.length) return wanted.some(isOwn) && !now.some(isOwn);
  return wanted.some((group, index) => isOwn(group) && !isOwn(now[index]));
}

/** In other groups than now somebody could open it alone; more of the same groups are no such thing. */
function isLooser(rule: FileRecipients, now: FileRecipients): boolean {
  if (now.groups.length < 2) return false;
  return rule.groups.length !== now.groups.length || rule.threshold < now.threshold;
}

/** The rule counts when a file is encrypted anew: whom it names besides the file would be let in by nobody. */
function wider(file: string, policy: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-028',
    what: 'nothing was changed, because a rule lets in somebody for whom a file is not yet',
    why,
    next: `sotto recipients check; who belongs there: sotto recipients add, in a commit that somebody looks at; else take it out of ${policy}`,
    file,
  });
}

function passedOver(file: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-030',
    what: 'nothing was changed, because a file would stay for the old key',
    why,
    next: 'make it a plain file with a name and text in UTF-8, commit that, and run the same command again',
    file,
  });
}

function noRule(file: string, policy: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-006',
    what: 'nothing was changed, because no rule of .sops.yaml speaks of a file that is for the old key',
    why: 'so nothing vouches for those whom the file names, and what is encrypted now would be readable there',
    next: `give ${policy} a rule for it, commit that, and run the same command again`,
    file,
    key: 'sops',
  });
}
