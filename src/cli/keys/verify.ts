import { sealedDocuments } from '../../authoring/reseal-sealed.ts';
import { asSottoError } from '../../core/errors.ts';
import { unsealAll } from '../../sealed/unseal.ts';
import type { FileKeys } from '../key-files.ts';
import { openClear } from '../../sops/rekey.ts';
import type { EncryptedDocuments } from '../../authoring/rotation/documents.ts';

/** A document that keys do not open. */
export interface Unopened {
  readonly file: string;
  readonly code: string;
  readonly why: string;
}

/** Opens every encrypted document with the keys; what does not open is listed. No value is kept. */
export async function unopened(
  { sops, sealed }: EncryptedDocuments,
  { identities, unsealKeys }: FileKeys,
  namespace: string,
): Promise<Unopened[]> {
  const found: Unopened[] = [];
  const attempt = async (file: string, open: () => Promise<void>): Promise<void> => {
    try {
      await open();
    } catch (thrown) {
      const { code, what, why } = asSottoError(thrown);
      found.push({ file, code, why: `${what}: ${why}` });
    }
  };
  for (const { file } of sops) {
    const { text, format, name } = file;
    await attempt(name, async () => {
      (await openClear({ text, format, file: name }, identities)).wipe();
    });
  }
  for (const { path, text } of sealed) {
    await attempt(path, async () => {
      for (const { sealed: object } of sealedDocuments(text, path, namespace)) {
        for (const { value } of (await unsealAll(object, unsealKeys)).values()) value.wipe();
      }
    });
  }
  return found;
}
