import { createHash } from 'node:crypto';
import type { EncryptedDocuments } from '../../authoring/rotation/documents.ts';
import { oldRecipient } from '../../authoring/rotation/old-recipient.ts';
import { namedRecipients, planRotation, type RotationGoal, type RotationPlan } from '../../authoring/rotation/plan.ts';
import { SottoError } from '../../core/errors.ts';
import type { FingerprintKey } from '../../keys/fingerprint.ts';
import { markOf } from '../../keys/key-secret.ts';
import { keyLife } from '../../keys/key-state.ts';
import { isMadeHere } from '../../keys/made-here.ts';
import { ORIGIN_ANNOTATION, ORIGIN_SOTTO, REPLACES_ANNOTATION } from '../../keys/marks.ts';
import type { ParsedKeySecret } from '../../keys/parse-keys.ts';
import type { RotateRequest } from '../../plan/request.ts';
import type { SealingKey } from '../../sealed/sealing-key.ts';
import type { AgeIdentity } from '../../sops/age.ts';
import type { Identity } from '../../sops/identity.ts';
import { checkAllowed, checkOld, type RecipientSettings } from './allowed.ts';

/** In the mark of a sealing key that gives way, where the mark of an age key has the one that it replaces. */
export const SEALING = 'sealing';

/** A key that a rotation has made, and the Secret in which it lies. */
export interface HeldKey {
  readonly identity: AgeIdentity;
  readonly secret: ParsedKeySecret;
}

export interface Intent {
  readonly plan: RotationPlan;
  readonly goal: RotationGoal;
  /** Made before, by a rotation that was interrupted or whose branch was not merged. */
  readonly pending: HeldKey | undefined;
  /** Who else the files are for and stay for. */
  readonly others: readonly string[];
  /** The sealing key that is there already and that everything will be sealed for; undefined: one that is made. */
  readonly sealing: HeldSealingKey | undefined;
  /** Of what a person has to say yes to: which key goes, which takes its place, and who opens the files afterwards. */
  readonly id: string;
  /** Ids, this one among them, before the agent itself had made what is taken: a request that was interrupted names one. */
  readonly idsBefore: readonly string[];
}

/** What the agent has when it is asked. */
export interface AgentKeys {
  readonly identities: readonly Identity[];
  readonly secrets: readonly ParsedKeySecret[];
  /** The sealing key in use for which something is not sealed yet. */
  readonly sealing: HeldSealingKey | undefined;
  /** The newest one that may seal. */
  readonly inUse: HeldSealingKey | undefined;
  readonly fingerprint: FingerprintKey;
}

export interface HeldSealingKey {
  readonly secret: string;
  readonly key: SealingKey;
}

/** Stands where the new recipient will, as long as there is none: it is in no file. */
const NOT_MADE = 'age1-not-made-yet';

/** What a rotation would do here. Pure. Throws SottoError for what must be settled before anything is made. */
export function intentOf(
  documents: EncryptedDocuments,
  { identities, secrets, sealing, inUse, fingerprint }: AgentKeys,
  { keys, old: wanted }: Pick<RotateRequest, 'keys' | 'old'>,
  settings: RecipientSettings,
): Intent {
  const pendings = secrets.flatMap((secret) => pendingIn(secret) ?? []);
  const mades = new Set(pendings.map(({ identity }) => identity.recipient));
  const named = namedRecipients(documents);
  const without = identities.filter(({ recipient }) => !mades.has(recipient) || named.has(recipient));
  const old = keys === 'sealing' ? undefined : oldRecipient(wanted, without, named, undefined);
  const pending = old === undefined ? undefined : pendings.find((held) => replacesOf(held) === old);
  if (old !== undefined) checkOld(old, identities, settings);
  const age = old === undefined ? undefined : { old, made: pending?.identity.recipient ?? NOT_MADE };
  const goal = { age, seals: keys !== 'age' && documents.sealed.length > 0 };
  const plan = planRotation(documents, goal);
  if (plan.sops.length + plan.sealed.length + plan.policies.length === 0) throw nothingToDo();
  const others = otherRecipients(plan, [age?.old, age?.made]);
  checkAllowed(others, settings);
  const taken = goal.seals ? sealing : undefined;
  const made = pending?.identity.recipient;
  const isOwn = pending !== undefined && isMadeHere(pending.secret, fingerprint, old ?? '', made ?? '');
  const sealed = goal.seals ? (taken ?? inUse)?.key.fingerprint : undefined;
  const id = (by: string | undefined, seal: readonly string[]): string => planId([keys, old, others, by, seal]);
  const now = [taken === undefined ? 'gives way' : 'is taken', sealed ?? ''];
  const before = taken === undefined ? [] : gaveWay(secrets, fingerprint).map((name) => ['gives way', name]);
  const idsBefore = [made, ...(isOwn ? [undefined] : [])].flatMap((by) => [now, ...before].map((seal) => id(by, seal)));
  return { plan, goal, pending, others, sealing: taken, id: id(made, now), idsBefore };
}

/** Sealing keys that the agent has marked for a rotation: only with its fingerprint key can that be written. */
function gaveWay(secrets: readonly ParsedKeySecret[], fingerprint: FingerprintKey): string[] {
  return secrets.flatMap((secret) => {
    const name = secret.sealingKey?.fingerprint;
    return name !== undefined && isMadeHere(secret, fingerprint, SEALING, name) ? [name] : [];
  });
}

/** The same for a key that was made meanwhile. Pure. */
export function withKey(intent: Intent, documents: EncryptedDocuments, made: string): Intent {
  const { goal } = intent;
  if (goal.age === undefined) return intent;
  const changed = { ...goal, age: { ...goal.age, made } };
  return { ...intent, goal: changed, plan: planRotation(documents, changed) };
}

function pendingIn(secret: ParsedKeySecret): HeldKey | undefined {
  const { annotations } = secret.mark;
  const [identity] = secret.ageIdentities;
  const isOurs = markOf(annotations, ORIGIN_ANNOTATION) === ORIGIN_SOTTO && keyLife(secret.mark).state === 'active';
  const isFor = markOf(annotations, REPLACES_ANNOTATION) !== undefined;
  return isOurs && isFor && identity !== undefined ? { identity, secret } : undefined;
}

function replacesOf({ secret }: HeldKey): string | undefined {
  return markOf(secret.mark.annotations, REPLACES_ANNOTATION);
}

function otherRecipients({ sops }: RotationPlan, own: readonly (string | undefined)[]): string[] {
  const all = new Set(sops.flatMap(({ groups }) => groups.flat()));
  for (const name of own) if (name !== undefined) all.delete(name);
  return [...all].toSorted();
}

function planId(parts: readonly (string | readonly string[] | undefined)[]): string {
  const text = JSON.stringify(parts.map((part) => part ?? null));
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

export function nothingToDo(): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-011',
    what: 'there is nothing to rotate',
    why: 'no document of the branch is for the old key, or all are for the new one already',
    next: 'sotto rotate status; from a checkout sotto rotate --new-secret --plan shows every document',
  });
}
