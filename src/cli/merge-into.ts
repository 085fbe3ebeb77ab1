import { resolve } from 'node:path';
import { bindingOf, mergeItems, type MergeTarget, mergeTarget } from '../authoring/merge-sealed.ts';
import { SottoError } from '../core/errors.ts';
import type { Sensitive } from '../core/sensitive.ts';
import type { SealingCertificate } from '../sealed/certificate.ts';
import { isEntryName } from '../sealed/names.ts';
import type { PlainSecret } from '../sealed/plain-secret.ts';
import { describeBinding, type Scope, scopeOf, sealLabel } from '../sealed/scope.ts';
import { sealValue } from '../sealed/seal.ts';
import type { CommandContext } from './context.ts';
import { type InputFile, readInput, textOf } from './files.ts';
import { say } from './output.ts';
import { writeInPlace } from './write-in-place.ts';

/** What the command line says of the target; where it says anything else than the file, nothing is done. */
export interface MergeFlags {
  readonly scope?: Scope;
  readonly name?: string;
  readonly namespace?: string;
}

export interface OpenTarget {
  readonly input: InputFile;
  readonly target: MergeTarget;
}

/** The file that items go into. Scope, name and namespace are its own. Throws SottoError. */
export async function openTarget(name: string, flags: MergeFlags, context: CommandContext): Promise<OpenTarget> {
  const input = await readInput(context, resolve(context.cwd, name));
  const target = mergeTarget(textOf(input), name, flags.namespace ?? '');
  const { scope, namespace, name: own } = bindingOf(target);
  refuseOther('scope', flags.scope, scope, name);
  refuseOther('name', flags.name, own, name);
  if (scope !== 'cluster-wide') refuseOther('namespace', flags.namespace, namespace, name);
  return { input, target };
}

/** Seals what is given for the target and writes it there: whole or not at all. */
export async function sealInto(
  { input, target }: OpenTarget,
  values: ReadonlyMap<string, Sensitive>,
  certificate: SealingCertificate,
  context: CommandContext,
): Promise<void> {
  const { file } = target;
  const binding = bindingOf(target);
  for (const key of values.keys()) if (!isEntryName(key)) throw badItem(key);
  const label = sealLabel(binding);
  const items = new Map([...values].map(([key, value]) => [key, sealValue(value, certificate, label)]));
  writeInPlace(input.path, file, Buffer.from(mergeItems(target, items), 'utf8'));
  await say(context, `${file}: ${[...values.keys()].join(', ')} sealed ${describeBinding(binding)}`);
}

/** A Secret whose items go into the target: it must not say that it is another one. */
export async function checkSource(secret: PlainSecret, { target }: OpenTarget, context: CommandContext): Promise<void> {
  const { scope, name, namespace } = bindingOf(target);
  const { metadata, type } = secret;
  if (metadata.name !== '') refuseOther('name', metadata.name, name, target.file);
  if (scope !== 'cluster-wide') refuseOther('namespace', metadata.namespace, namespace, target.file);
  const said = scopeOf(metadata.annotations);
  if (said !== 'strict') refuseOther('scope', said, scope, target.file);
  const ownType = target.sealed.template.type;
  if (ownType !== undefined) refuseOther('type', type, ownType, target.file);
  const others = Object.keys(metadata.labels).length + Object.keys(metadata.annotations).length;
  if (others > 0)
    await say(context, 'note: labels and annotations are not merged; they stand in spec.template of the file');
}

function refuseOther(what: string, given: string | undefined, own: string, file: string): void {
  if (given === undefined || given === own) return;
  throw new SottoError({
    code: 'SOTTO-SEAL-024',
    what: 'nothing can be merged into the file',
    why: `its ${what} is ${own}, and ${given} was given: an item sealed for that would not open there`,
    next: `leave the ${what} away, or name the file that it belongs to`,
    file,
  });
}

function badItem(key: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-007',
    what: 'an item has a name that no entry of a Secret can have',
    why: 'names are letters, digits, dots, dashes and underscores, at most 253',
    next: 'rename it',
    key: key.slice(0, 253),
  });
}
