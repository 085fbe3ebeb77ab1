import { pullRequestLink } from '../../authoring/pull-request.ts';
import type { EncryptedDocuments } from '../../authoring/rotation/documents.ts';
import type { RotationGoal } from '../../authoring/rotation/plan.ts';
import { SottoError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import type { CommitId } from '../../git/output.ts';
import type { RotationMark } from '../../keys/rotation-mark.ts';
import type { RotateRequest } from '../../plan/request.ts';
import { sanitise } from '../../report/sanitise.ts';
import type { Intent } from './goal.ts';

/** What was pushed, and for which key. */
export interface Pushed extends RotationMark {
  /** The Secret of the new key. */
  readonly secret: string;
  readonly recipient: string | undefined;
  /** The branch that it is to come into. */
  readonly base: string;
}

/** Begins with the id of the plan, which the yes of a person names. Throws SOTTO-ROTATE-121: nobody says yes unseen. */
export function planText(
  { plan, goal, pending, others, sealing, id }: Intent,
  documents: EncryptedDocuments,
  head: CommitId,
): string {
  const counts = `${plan.sops.length} of ${documents.sops.length} SOPS files, ${plan.sealed.length} files with SealedSecrets, ${plan.policies.length} .sops.yaml`;
  const made =
    pending === undefined
      ? 'a new key'
      : `${pending.identity.recipient}, which is there already in Secret ${pending.secret.mark.name}`;
  const age = goal.age === undefined ? [] : [`${goal.age.old} gives way to ${made}`];
  const besides =
    others.length === 0 ? 'nobody else opens the SOPS files' : `besides they are for ${others.join(', ')}`;
  const key =
    sealing === undefined
      ? 'SealedSecrets get a new sealing key'
      : `SealedSecrets get sealing key ${sealing.key.fingerprint}, which is there already in Secret ${sealing.secret}`;
  const text = [
    `plan ${id}: ${counts} at ${head.slice(0, 12)}`,
    ...age,
    ...(goal.age === undefined ? [] : [besides]),
    ...(goal.seals ? [key] : []),
  ].join('; ');
  if (sanitise(text).length === text.length) return text;
  throw new SottoError({
    code: 'SOTTO-ROTATE-121',
    what: 'the plan of the rotation has no room in an answer',
    why: `it has ${text.length} characters, because the files are for ${others.length} others, and each has to be seen`,
    next: 'rotate from a checkout: sotto rotate --new-secret -n NAMESPACE --branch NAME --push',
  });
}

export function pushedText({ url, branch, commit, files, secret, recipient, base }: Pushed): string {
  const key = recipient === undefined ? '' : ` ${recipient}`;
  return `branch ${branch} of ${url} is at ${commit}: ${files} files changed, each opened again and compared; new key${key} in Secret ${secret}; next: look at the branch and merge it${linkOf(url, branch, base)}; the agent marks the old key once it runs that`;
}

/** Where the host is known. */
function linkOf(remote: string, branch: string, base: string): string {
  const link = pullRequestLink({ remote, branch, base });
  return link === undefined ? '' : ` (${link} )`;
}

export function doneAlready({ url, branch, commit, files }: RotationMark, base: string): string {
  return `branch ${branch} of ${url} is at ${commit} already: ${files} files changed; next: look at it and merge it${linkOf(url, branch, base)}`;
}

/** Of the commit. Who asked is a claim, as everywhere. */
export function messageOf({ age, seals }: RotationGoal, files: number, { by, reason }: RotateRequest): string {
  const what = age === undefined ? [] : [`${age.old}\nis replaced by\n${age.made}`];
  if (seals) what.push('SealedSecrets are sealed for a new certificate.');
  if (reason !== '') what.push(`Reason: ${sanitise(reason, LIMITS.maxRequestReason)}`);
  return `Rotate keys of ${files} files\n\n${what.join('\n\n')}\n\nEvery value is as before. Asked for by ${sanitise(by, 100)}.\n`;
}
