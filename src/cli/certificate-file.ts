import { resolve } from 'node:path';
import { SottoError } from '../core/errors.ts';
import { type SealingCertificate, sealingCertificate } from '../sealed/certificate.ts';
import type { Surroundings } from './context.ts';
import { readFileBytes } from './files.ts';

/** A certificate that a person names by its file. Throws SottoError, with the file. */
export async function certificateFile(
  around: Pick<Surroundings, 'cwd'>,
  name: string,
  now: Date,
): Promise<SealingCertificate> {
  try {
    return sealingCertificate(await readFileBytes(resolve(around.cwd, name), name), now);
  } catch (thrown) {
    throw thrown instanceof SottoError ? thrown.at({ file: name }) : thrown;
  }
}
