import { ComposedRef, type Piece, SecretRef } from '../core/closed.ts';
import { sourceDigest } from '../core/digest.ts';
import { SottoError } from '../core/errors.ts';
import { groupOf, type SourceDigest } from '../core/ids.ts';
import { type JsonObject, stringAt } from '../core/json.ts';
import { itemsIn, sealedToSecret } from '../sealed/resulting-secret.ts';
import { parseSealedWhole, type SealedItem, type SealedObject, type SealedWhole } from '../sealed/sealed-secret.ts';
import type { FilledPart } from '../sealed/template.ts';
import type { ClosedDocument } from './document.ts';
import type { Opener } from './opener.ts';
import { wholeRef, wholeTree } from './whole-secret.ts';

/**
 * What becomes of a SealedSecret. `unseal`: its Secret is applied. `passthrough`: the resource itself, for the
 * SealedSecrets controller. `auto`: the first where a key of ours opens it, else the second where the API server
 * serves the kind.
 */
export type SealedMode = 'auto' | 'unseal' | 'passthrough';

/** How the SealedSecrets of one sync are treated; never as both for one name. */
export interface SealedRule {
  modeOf(namespace: string, name: string): SealedMode;
  /** Whether the API server knows the kind. */
  isServed(): boolean;
  /** The Secret of that name, where sotto applies it; `kept`: it stays when it leaves Git. */
  secretRow(namespace: string, name: string): 'ours' | 'kept' | undefined;
}

export interface SealedContext {
  /** Of objects that name none; items are bound to it. */
  readonly namespace: string;
  readonly opener: Opener;
  /** Default: unsealed. */
  readonly sealed?: SealedRule | undefined;
  isKnown(digest: SourceDigest): boolean;
}

/** A SealedSecret as it stands in a file. */
export interface SealedManifest extends Pick<ClosedDocument, 'file' | 'line' | 'lineAt' | 'digest'> {
  readonly value: JsonObject;
}

export function isSealedSecret(tree: unknown): boolean {
  return groupOf(stringAt(tree, 'apiVersion') ?? '') === 'bitnami.com' && stringAt(tree, 'kind') === 'SealedSecret';
}

/** The document that is applied: a Secret with closed values, or the resource as it is. Throws SottoError. */
export async function sealedDocument(manifest: SealedManifest, context: SealedContext): Promise<ClosedDocument> {
  const { rule, place } = situation(manifest, context);
  if (rule.mode === 'passthrough') return passedThrough(manifest, rule.row, place);
  const mayPass = rule.mode === 'auto' && rule.row === undefined && rule.isServed();
  // Without a key it is nobody's but the controller's, whatever this version can read of it.
  if (mayPass && !context.opener.canUnseal) return passedThrough(manifest, rule.row, place);
  const whole = parseSealedWhole(manifest.value, { ...manifest, namespace: context.namespace });
  try {
    return whole === undefined
      ? await unsealedDocument(manifest, context, mayPass)
      : await wholeDocument(manifest, whole, context);
  } catch (thrown) {
    const isOthers = mayPass && thrown instanceof SottoError && thrown.code === 'SOTTO-SEAL-001';
    if (isOthers) return passedThrough(manifest, rule.row, place);
    throw thrown;
  }
}

async function unsealedDocument(
  { file, line, value, lineAt, digest }: SealedManifest,
  context: SealedContext,
  isNew: boolean,
): Promise<ClosedDocument> {
  const sealed = await context.opener.parseSealed(value, { file, line, namespace: context.namespace, lineAt });
  // A known digest may be that of the resource, passed through: then it was never opened here.
  if (isNew || !context.isKnown(digest)) await context.opener.verifySealed(sealed);
  const { tree, items, literals, composed } = sealedToSecret(sealed);
  const refs = [...items].map(([key, item]) => [key, refOf(sealed, item)] as const);
  const texts = [...composed].map(([key, parts]) => [key, composedRef(sealed, key, parts)] as const);
  const data = { ...Object.fromEntries(literals), ...Object.fromEntries(refs), ...Object.fromEntries(texts) };
  return { file, line, tree: { ...tree, data }, encryption: 'sealed', digest, lineAt };
}

/** The form of 2018 is opened each time it is read: without that not even the names of its entries are known. */
async function wholeDocument(
  { file, line, lineAt, digest }: SealedManifest,
  whole: SealedWhole,
  { opener }: SealedContext,
): Promise<ClosedDocument> {
  const content = await opener.openWhole(whole);
  for (const value of content.entries.values()) value.wipe();
  const data = Object.fromEntries([...content.entries.keys()].map((entry) => [entry, wholeRef(whole, entry)]));
  return { file, line, tree: { ...wholeTree(whole, content), data }, encryption: 'sealed', digest, lineAt };
}

function refOf(sealed: SealedObject, item: SealedItem): SecretRef {
  return new SecretRef(sealed, item, 'value', item.line);
}

const STANDARD = { letters: 'standard', padded: true } as const;

/** An entry of `template.data`, still closed: texts, and references to the values that stand between them. */
function composedRef(sealed: SealedObject, key: string, parts: readonly FilledPart[]): SecretRef {
  const refs = new Map(sealed.items.map((item) => [item, refOf(sealed, item)]));
  const piece = (part: FilledPart): Piece => {
    if (part.kind === 'text') return { kind: 'literal', bytes: Buffer.from(part.text, 'utf8') };
    if (part.kind === 'base64') return { kind: 'base64', of: [piece(part.of)], alphabet: STANDARD };
    const ref = refs.get(part.item);
    if (ref === undefined) throw new TypeError('an item of another object');
    return { kind: 'value', ref };
  };
  const [first] = parts.flatMap((part) => itemsIn(part)).map((item) => refs.get(item));
  if (first === undefined) throw new TypeError('a text without a sealed value');
  const text = sourceDigest('composed', 'value', JSON.stringify(parts));
  const place = { object: `Secret/${sealed.name}`, key: `data.${key}` };
  return new ComposedRef(first, parts.map(piece), { text }, { form: 'value', mustBeText: false, place });
}

interface Place {
  readonly namespace: string;
  readonly name: string;
}

function situation({ value }: SealedManifest, { sealed, namespace }: SealedContext) {
  const name = stringAt(value, 'metadata', 'name') ?? '';
  const place = { namespace: stringAt(value, 'metadata', 'namespace') || namespace, name };
  const rule = {
    mode: sealed?.modeOf(place.namespace, name) ?? ('unseal' as const),
    row: sealed?.secretRow(place.namespace, name),
    isServed: () => sealed?.isServed() ?? false,
  };
  return { rule, place };
}

/** Its status belongs to the controller. */
function passedThrough(manifest: SealedManifest, row: 'ours' | 'kept' | undefined, place: Place): ClosedDocument {
  if (row === 'ours') throw wouldBeBoth(place);
  const { file, line, value, lineAt, digest } = manifest;
  const { status: _status, ...tree } = value;
  return { file, line, tree, encryption: 'none', digest, lineAt };
}

/** The resource in the cluster beside a Secret of ours: sotto would delete what the controller is to keep. */
function wouldBeBoth({ name }: Place): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-022',
    what: 'the SealedSecret is not passed through',
    why: `sotto applies Secret ${name} itself, and with both the one would undo the other`,
    next:
      'hand the Secret over first: a commit with sotto.dev/prune: disabled and sealedsecrets.bitnami.com/managed: "true" ' +
      'in spec.template.metadata.annotations while it is still unsealed; then passthrough',
    key: 'kind',
  });
}
