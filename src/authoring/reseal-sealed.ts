import { createPublicKey } from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import { arrayAt, memberAt, stringAt } from '../core/json.ts';
import type { SealingCertificate } from '../sealed/certificate.ts';
import { sealValue } from '../sealed/seal.ts';
import { parseSealed, type SealedObject } from '../sealed/sealed-secret.ts';
import type { UnsealKey } from '../sealed/sealing-key.ts';
import { keyFor, unsealAll } from '../sealed/unseal.ts';
import { replaceScalar } from '../sops/encrypt-splice.ts';
import { parseJsonTree } from '../yaml/json-tree.ts';
import { lineFinder, resolveManifest } from '../yaml/manifest.ts';
import { parseYaml } from '../yaml/parse.ts';
import { type Splice, spliceText } from '../yaml/splice.ts';
import { entryOf, type YamlDocument } from '../yaml/tree.ts';

/** A SealedSecret where it stands in a file. */
export interface SealedDocument {
  readonly sealed: SealedObject;
  readonly document: YamlDocument;
}

/** What is sealed to whom, and what opens it. */
export interface Resealing {
  readonly certificate: SealingCertificate;
  readonly keys: readonly UnsealKey[];
}

/** Whether a text is worth a look: the kind stands in every SealedSecret. */
export function mayHoldSealed(text: string): boolean {
  return text.includes('SealedSecret') && text.includes('bitnami.com/');
}

/** The SealedSecrets of a file. Throws SottoError for a form that is not sealed again here. */
export function sealedDocuments(text: string, file: string, namespace: string): SealedDocument[] {
  const documents = file.endsWith('.json') ? [parseJsonTree(text, { file })] : parseYaml(text, { file });
  return documents.flatMap((document) => {
    const manifest = resolveManifest<never>(document.root, { file, leafAt: () => undefined });
    const isList = arrayAt(manifest, 'items').some((item) => stringAt(item, 'kind') === 'SealedSecret');
    if (isList) throw otherForm(file, document.line, 'it stands in a List');
    if (stringAt(manifest, 'kind') !== 'SealedSecret') return [];
    if ((memberAt(manifest, 'spec', 'data') ?? null) !== null)
      throw otherForm(file, document.line, 'it is of the form of 2018 (spec.data), sealed as a whole');
    const place = { file, line: document.line, namespace, lineAt: lineFinder(document) };
    return [{ sealed: parseSealed(manifest, place), document }];
  });
}

/** Whoever seals cannot open; so the key that belongs to the certificate has to be at hand for the proof. */
export function keyOf({ certificate, keys }: Resealing): UnsealKey | undefined {
  return keys.find(({ privateKey }) => createPublicKey(privateKey).equals(certificate.publicKey));
}

/** Whether each item of a file is sealed for the key already. */
export async function isSealedFor(key: UnsealKey, text: string, file: string, namespace: string): Promise<boolean> {
  return sealedDocuments(text, file, namespace).every(({ sealed }) =>
    sealed.items.every((item) => keyFor(sealed, item, [key]) !== undefined),
  );
}

/**
 * The file with every item sealed for another certificate, bound to the same name, namespace and scope, and no other
 * character changed. Where the key of that certificate is at hand, each is opened again with it alone and compared;
 * else what was sealed was opened once, with its session key. Throws SottoError.
 */
export async function reseal(text: string, file: string, namespace: string, resealing: Resealing): Promise<string> {
  const splices: Splice[] = [];
  const old = sealedDocuments(text, file, namespace);
  for (const each of old) {
    const { sealed } = each;
    const opened = await unsealAll(sealed, resealing.keys);
    try {
      for (const [key, { value }] of opened)
        splices.push(...itemSplice(text, each, key, file, sealValue(value, resealing.certificate, sealed.label)));
    } finally {
      for (const { value } of opened.values()) value.wipe();
    }
  }
  const made = spliceText(text, splices);
  await prove(old, sealedDocuments(made, file, namespace), resealing, file);
  return made;
}

/** The text with other words for each item, where it stands. Throws SottoError. */
export function withItems(
  text: string,
  file: string,
  documents: readonly SealedDocument[],
  by: (item: string) => string,
): string {
  const splices = documents.flatMap((each) =>
    each.sealed.items.flatMap((item) => itemSplice(text, each, item.key, file, by(item.text))),
  );
  return spliceText(text, splices);
}

/** Quotes stay where they are. */
function itemSplice(text: string, { document }: SealedDocument, key: string, file: string, by: string): Splice[] {
  const holder = entryOf(entryOf(document.root, 'spec')?.value ?? document.root, 'encryptedData')?.value;
  const scalar = holder === undefined ? undefined : entryOf(holder, key)?.value;
  if (scalar?.kind !== 'scalar') throw notProved(file);
  if (scalar.style !== 'single' && scalar.style !== 'double') return replaceScalar(text, scalar, by);
  return [{ start: scalar.tokenStart + 1, end: scalar.end - 1, by }];
}

async function prove(
  old: readonly SealedDocument[],
  made: readonly SealedDocument[],
  resealing: Resealing,
  file: string,
): Promise<void> {
  const own = keyOf(resealing);
  if (made.length !== old.length) throw notProved(file);
  for (const [index, { sealed: before }] of old.entries()) {
    const after = made[index]?.sealed;
    if (after === undefined || !isSameShape(before, after)) throw notProved(file);
    if (own === undefined) continue;
    const was = await unsealAll(before, resealing.keys);
    // Whatever it says: what does not open with its own key is what was made here.
    const is = await unsealAll(after, [own]).catch(() => undefined);
    try {
      const isSame = [...was].every(([key, { value }]) => is?.get(key)?.value.equals(value) === true);
      if (!isSame || was.size !== is?.size) throw notProved(file);
    } finally {
      for (const { value } of [...was.values(), ...(is?.values() ?? [])]) value.wipe();
    }
  }
}

/** The same items bound to the same place, each with another text. */
function isSameShape(before: SealedObject, after: SealedObject): boolean {
  if (!Buffer.from(before.label).equals(after.label) || before.items.length !== after.items.length) return false;
  return before.items.every(({ key, text }, index) => {
    const other = after.items[index];
    return other?.key === key && other.text !== text;
  });
}

function notProved(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-210',
    what: 'the file was not written',
    why: 'what was sealed anew did not open to the same values; the old file is as it was',
    next: `look at the file with sotto unseal ${file}; if it opens, this is a defect of sotto: please report it, without values`,
    file,
  });
}

function otherForm(file: string, line: number, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-012',
    what: 'not in this version: a SealedSecret of this form is not sealed again',
    why,
    next: 'give each SealedSecret a document of its own with encryptedData (sotto unseal, sotto seal), then rotate',
    file,
    line,
  });
}
