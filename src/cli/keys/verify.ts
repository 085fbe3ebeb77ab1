import { sealedDocuments } from '../../authoring/reseal-sealed.ts';
import {
  type EncryptedDocuments,
  isPolicyPath,
  type SealedSecretFile,
  type UnreadFile,
} from '../../authoring/rotation/documents.ts';
import { asSottoError, SottoError } from '../../core/errors.ts';
import { openFiles } from '../../open/open.ts';
import { Opener } from '../../open/opener.ts';
import { unsealAll } from '../../sealed/unseal.ts';
import type { FileKeys } from '../key-files.ts';
import { openClear } from '../../sops/rekey.ts';
import type { KeySource } from './key-sources.ts';

/** A document that keys do not open. */
export interface Unopened {
  readonly file: string;
  readonly code: string;
  readonly why: string;
}

/** Opens every encrypted document with the keys; what does not open is listed. No value is kept. */
export async function unopened(
  { sops, sealed, unread }: EncryptedDocuments,
  { identities, unsealKeys }: FileKeys,
  namespace: string,
): Promise<Unopened[]> {
  const found: Unopened[] = [];
  const attempt = async (file: string, open: () => Promise<void>): Promise<void> => {
    try {
      await open();
    } catch (thrown) {
      found.push(told(file, asSottoError(thrown)));
    }
  };
  for (const { file } of sops) {
    const { text, format, name } = file;
    await attempt(name, async () => {
      (await openClear({ text, format, file: name }, identities)).wipe();
    });
  }
  for (const file of unread) if (!isPolicyPath(file.path)) found.push(told(file.path, notText(file)));
  for (const { path, text } of sealed) {
    await attempt(path, async () => {
      for (const { sealed: object } of sealedDocuments(text, path, namespace)) {
        for (const { value } of (await unsealAll(object, unsealKeys)).values()) value.wipe();
      }
    });
  }
  return found;
}

function told(file: string, { code, what, why }: SottoError): Unopened {
  return { file, code, why: `${what}: ${why}` };
}

/** An encrypted file, and what opens it. */
export interface Opening {
  readonly file: string;
  readonly kind: 'sops' | 'sealed';
  /** The first source that does alone, or all of them where it takes several. */
  readonly by: string | undefined;
  readonly error?: SottoError | undefined;
}

/** Opens every encrypted document, MACs included, with each source in turn. No value is kept. */
export async function openings(
  { sops, sealed, unread }: EncryptedDocuments,
  sources: readonly KeySource[],
  namespace: string,
): Promise<Opening[]> {
  const found: Opening[] = [];
  for (const { file } of sops) {
    const { text, format, name } = file;
    const open = async ({ identities }: FileKeys): Promise<void> =>
      (await openClear({ text, format, file: name }, identities)).wipe();
    found.push({ file: name, kind: 'sops', ...(await openedBy(open, sources)) });
  }
  for (const file of unread)
    if (!isPolicyPath(file.path)) found.push({ file: file.path, kind: 'sops', by: undefined, error: notText(file) });
  for (const file of sealed) {
    const open = (keys: FileKeys): Promise<void> => openSealed(file, keys, namespace);
    found.push({ file: file.path, kind: 'sealed', ...(await openedBy(open, sources)) });
  }
  return found;
}

function notText({ path, why }: UnreadFile): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-030',
    what: 'the file does not open',
    why,
    next: 'open it with sops, and encrypt it anew as text in UTF-8',
    file: path,
  });
}

async function openedBy(
  open: (keys: FileKeys) => Promise<void>,
  sources: readonly KeySource[],
): Promise<Pick<Opening, 'by' | 'error'>> {
  const attempt = async (keys: FileKeys): Promise<SottoError | undefined> => {
    try {
      await open(keys);
      return undefined;
    } catch (thrown) {
      return asSottoError(thrown);
    }
  };
  for (const { label, keys } of sources) if ((await attempt(keys)) === undefined) return { by: label };
  // Groups of which several are needed.
  const error = await attempt({
    identities: sources.flatMap(({ keys }) => keys.identities),
    unsealKeys: sources.flatMap(({ keys }) => keys.unsealKeys),
  });
  return error === undefined ? { by: 'several together' } : { by: undefined, error };
}

/** As the agent reads it, in every form. */
async function openSealed({ path, text }: SealedSecretFile, keys: FileKeys, namespace: string): Promise<void> {
  using opener = new Opener({ ageIdentities: [], sealingKeys: keys.unsealKeys });
  const bytes = Buffer.from(text, 'utf8');
  const { refusals } = await openFiles([{ path, bytes }], { namespace, opener, isKnown: () => false });
  const [first] = refusals;
  if (first !== undefined) throw first.error;
}
