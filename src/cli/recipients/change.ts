import { readFileSync } from 'node:fs';
import { SottoError } from '../../core/errors.ts';
import {
  nameOf,
  type PolicyPlace,
  type PolicyRecipient,
  withoutRecipient,
  withRecipient,
} from '../../authoring/sops-config.ts';
import type { KeyServices } from '../../services/key-services.ts';
import type { Identity } from '../../sops/identity.ts';
import { checkRecipients } from '../../sops/recipients.ts';
import { isPgpFingerprint } from '../../sops/pgp.ts';
import type { PgpKeyBlock } from '../../sops/pgp-key.ts';
import { type Policy, type PolicyRule, readPolicy } from '../../sops/policy.ts';
import { rekey, type RekeyMode } from '../../sops/rekey.ts';
import type { SealedFile } from '../../authoring/sealed-file.ts';
import { writeInPlace } from '../write-in-place.ts';
import { heldServices } from '../../authoring/held-services.ts';
import { type Coverage, type CoveredFile, coverageOf, plantedRecipients } from '../../authoring/coverage.ts';
import type { PolicyFile } from './coverage.ts';
import { wantedKeys } from '../../authoring/wanted-keys.ts';

export interface ChangeFlags {
  readonly rule?: string;
  readonly group?: string;
  readonly allRules?: true;
}

/** What a change of recipients does to .sops.yaml and to files. */
export interface RecipientPlan {
  readonly policyText: string;
  readonly files: readonly PlannedFile[];
}

export interface PlannedFile {
  readonly file: CoveredFile;
  readonly rule: PolicyRule;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly mode: RekeyMode;
}

/** age and SSH recipients, or the fingerprint of an OpenPGP key. Throws SottoError. */
export function policyRecipient(text: string): PolicyRecipient {
  if (isPgpFingerprint(text)) return { field: 'pgp', text: text.replaceAll(' ', '') };
  const [recipient = text] = checkRecipients([text]);
  return { field: 'age', text: recipient };
}

/** Pure. Throws SottoError, before anything is read with a key. */
export function planAdd(
  recipient: PolicyRecipient,
  files: readonly Coverage[],
  policyFile: PolicyFile,
  flags: ChangeFlags,
): RecipientPlan {
  const { policy, text, input } = policyFile;
  const places = placesToAdd(policy, flags);
  const name = nameOf(recipient);
  const policyText = places
    .filter(({ rule, group }) => policy.rules[rule]?.groups[group ?? 0]?.includes(name) !== true)
    .reduce((so, place) => withRecipient(so, input.name, place, recipient), text);
  return planFiles(policyFile, policyText, files, new Set(places.map(({ rule }) => rule + 1)), []);
}

export function planRemove(
  recipient: PolicyRecipient,
  files: readonly Coverage[],
  policyFile: PolicyFile,
  flags: ChangeFlags,
): RecipientPlan {
  const { policy, text, input } = policyFile;
  const name = nameOf(recipient);
  const chosen = flags.rule === undefined ? policy.rules.map((_, index) => index) : [ruleNumber(policy, flags.rule)];
  const places = chosen.flatMap((rule) =>
    placesOf(policy.rules[rule], rule).filter((place) => names(policy, place, name)),
  );
  const holds = (file: Coverage): boolean =>
    !('error' in file) && file.recipients.groups.some((group) => group.includes(name));
  if (places.length === 0 && !files.some(holds)) throw nobody(name, input.name);
  const policyText = places.reduce((so, place) => withoutRecipient(so, input.name, place, recipient), text);
  return planFiles(policyFile, policyText, files, new Set(chosen.map((rule) => rule + 1)), [name]);
}

/** Every file of the rules in question is brought in line; whoever is neither in the old rule nor leaving was planted. */
function planFiles(
  { policy, input }: PolicyFile,
  policyText: string,
  files: readonly Coverage[],
  rules: ReadonlySet<number>,
  leaving: readonly string[],
): RecipientPlan {
  const changed = readPolicy(policyText, input.name);
  const planned = files.flatMap((file): PlannedFile[] => {
    if ('error' in file) throw file.error;
    if (file.rule === undefined || !rules.has(file.rule.number)) return [];
    const rule = changed.rules[file.rule.number - 1];
    const planted = file.difference.planted.filter((name) => !leaving.includes(name));
    if (planted.length > 0) throw plantedRecipients(file, planted, policy);
    const after = coverageOf(file.sealed, changed);
    if (rule === undefined || 'error' in after || rule.groups.length === 0) return [];
    const { planted: removed, missing: added, layout } = after.difference;
    if (added.length + removed.length === 0 && layout === undefined) return [];
    const isWeaker = layout !== undefined;
    return [{ file, rule, added, removed, mode: removed.length > 0 || isWeaker ? 'new-data-key' : 'same-data-key' }];
  });
  return { policyText, files: planned };
}

function placesToAdd(policy: Policy, { rule, group, allRules }: ChangeFlags): PolicyPlace[] {
  const [only, second] = policy.rules;
  if (only === undefined) throw whichRule(policy, 'it has no creation_rules');
  if (rule === undefined && allRules !== true && second !== undefined)
    throw whichRule(policy, `it has ${policy.rules.length} rules`);
  const chosen = rule !== undefined ? [ruleNumber(policy, rule)] : policy.rules.map((_, index) => index);
  return chosen.map((index) => {
    const groups = placesOf(policy.rules[index], index);
    const [place, another] = groups;
    if (another === undefined && group === undefined) return place ?? { rule: index, group: undefined };
    const found = group === undefined ? undefined : groups[Number(group) - 1];
    if (found !== undefined) return found;
    throw whichRule(policy, `rule ${index + 1} has ${groups.length} key groups`);
  });
}

/** A rule without key groups is one place. A single key group is one as well, but inside of it. */
function placesOf(rule: PolicyRule | undefined, index: number): PolicyPlace[] {
  if (rule === undefined || !rule.hasKeyGroups) return [{ rule: index, group: undefined }];
  return rule.groups.map((_, group) => ({ rule: index, group }));
}

function names(policy: Policy, { rule, group }: PolicyPlace, name: string): boolean {
  return policy.rules[rule]?.groups[group ?? 0]?.includes(name) === true;
}

function ruleNumber(policy: Policy, text: string): number {
  const index = /^[1-9]\d{0,4}$/.test(text) ? Number(text) - 1 : -1;
  if (policy.rules[index] !== undefined) return index;
  throw whichRule(policy, `there is no rule ${text}`);
}

/** A file with what it becomes; nothing is written yet. */
export interface PreparedFile {
  readonly sealed: SealedFile;
  readonly text: string;
}

/** Opens, encrypts, opens again and compares every planned file. Throws SottoError at the first that does not. */
export async function prepareFiles(
  files: readonly PlannedFile[],
  identities: readonly Identity[],
  { pgpKeys, services }: { readonly pgpKeys: readonly PgpKeyBlock[]; readonly services: KeyServices },
  now: Date,
): Promise<PreparedFile[]> {
  const prepared: PreparedFile[] = [];
  for (const { file, rule, mode } of files) {
    const { sealed, recipients } = file;
    const old = { text: sealed.text, format: sealed.format, file: sealed.name };
    const wanted = wantedKeys(rule, recipients, pgpKeys, heldServices(old, services));
    prepared.push({ sealed, text: await rekey(old, identities, wanted, mode, now) });
  }
  return prepared;
}

/** Each whole or not at all, and none that somebody else wrote meanwhile. The rules go first: what is made now obeys them. */
export function writeFiles(policyFile: PolicyFile, policyText: string, files: readonly PreparedFile[]): void {
  const { input } = policyFile;
  for (const { path, name, bytes } of [input, ...files.map(({ sealed }) => sealed)]) refuseChanged(path, name, bytes);
  if (policyText !== policyFile.text) writeInPlace(input.path, input.name, Buffer.from(policyText));
  for (const { sealed, text } of files) {
    refuseChanged(sealed.path, sealed.name, sealed.bytes);
    writeInPlace(sealed.path, sealed.name, Buffer.from(text));
  }
}

function refuseChanged(path: string, name: string, bytes: Uint8Array): void {
  if (readFileSync(path).equals(bytes)) return;
  throw new SottoError({
    code: 'SOTTO-CLI-095',
    what: 'the file was changed meanwhile, and was not written',
    why: 'its content is not the one that was read when this command began',
    next: 'run the command again',
    file: name,
  });
}

function nobody(name: string, file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-213',
    what: 'there is nobody to remove',
    why: `neither a rule of ${file} nor a file that they cover names ${name}`,
    next: 'sotto recipients list',
    file,
  });
}

function whichRule(policy: Policy, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-214',
    what: 'nothing says where the recipient belongs',
    why,
    next: 'sotto recipients list shows rules and groups by number: --rule 1, --group 1, or --all-rules',
    file: policy.file,
  });
}
