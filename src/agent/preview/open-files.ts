import type { SottoError } from '../../core/errors.ts';
import type { SourceDigest } from '../../core/ids.ts';
import { stringAt } from '../../core/json.ts';
import type { Refusal } from '../../core/refusal.ts';
import type { ClosedDocument, Opened } from '../../open/document.ts';
import { type OpenFile, openFiles } from '../../open/open.ts';
import type { Opener } from '../../open/opener.ts';
import type { SealedRule } from '../../open/sealed-document.ts';

export interface PartlyOpened extends Opened {
  /** Documents whose structure is known and whose values are not, with what was missing. */
  readonly unopened: ReadonlyMap<SourceDigest, SottoError>;
}

/** No key at hand fits; the agent may well have one that does. */
export const NO_KEY_FITS: ReadonlySet<string> = new Set(['SOTTO-AGE-001', 'SOTTO-SEAL-001']);

/** Structure needs no key: what none at hand opens is read without its values. */
export async function openWhatFits(
  files: readonly OpenFile[],
  context: { readonly namespace: string; readonly opener: Opener; readonly sealed?: SealedRule },
): Promise<PartlyOpened> {
  const opened = await openFiles(files, { ...context, isKnown: () => false });
  const lacking = opened.refusals.filter(({ error }) => NO_KEY_FITS.has(error.code));
  const closed = new Set(lacking.map(({ file }) => file));
  const structure = await openFiles(
    files.filter(({ path }) => closed.has(path)),
    { ...context, isKnown: () => true },
  );
  const unopened = new Map<SourceDigest, SottoError>();
  const found = structure.documents.filter((document) => {
    const refusal = lacking.find((each) => isAbout(each, document));
    if (refusal !== undefined) unopened.set(document.digest, refusal.error);
    return refusal !== undefined;
  });
  const isFound = (refusal: Refusal): boolean => found.some((document) => isAbout(refusal, document));
  return {
    documents: inOrder(files, [...opened.documents, ...found]),
    refusals: opened.refusals.filter((refusal) => !lacking.includes(refusal) || !isFound(refusal)),
    unopened,
  };
}

/** A SOPS file is opened or not as a whole; of another file each SealedSecret. */
function isAbout(refusal: Refusal, document: ClosedDocument): boolean {
  if (refusal.file !== document.file || document.encryption === 'none') return false;
  if (document.encryption === 'sops') return true;
  const { name, namespace } = refusal.id ?? {};
  const own = stringAt(document.tree, 'metadata', 'namespace') ?? namespace;
  return stringAt(document.tree, 'metadata', 'name') === name && own === namespace;
}

/** As one reading would have given them: of two documents of one object the first counts. */
function inOrder(files: readonly OpenFile[], documents: readonly ClosedDocument[]): ClosedDocument[] {
  const byFile = Map.groupBy(documents, ({ file }) => file);
  return files.flatMap(({ path }) => (byFile.get(path) ?? []).toSorted((a, b) => a.line - b.line));
}
