import { SottoError } from '../../core/errors.ts';
import { pinProblem, type SealingCertificate } from '../../sealed/certificate.ts';
import { keyOf } from '../../authoring/reseal-sealed.ts';
import type { UnsealKey } from '../../sealed/sealing-key.ts';
export { oldRecipient } from '../../authoring/rotation/old-recipient.ts';
import { certificateFile } from '../certificate-file.ts';
import type { CommandContext } from '../context.ts';
import { pinnedCertificate } from '../sealing-pin.ts';

/** The certificate to seal for, and that something vouches for it. Throws SottoError. */
export async function newCertificate(
  context: CommandContext,
  name: string,
  keys: readonly UnsealKey[],
  now: Date,
): Promise<SealingCertificate> {
  const certificate = await certificateFile(context, name, now);
  const pinned = await pinnedCertificate(context);
  const problem = pinProblem(certificate, pinned);
  if (problem !== undefined) throw problem.at({ file: name });
  if (pinned !== undefined || keyOf({ certificate, keys }) !== undefined) return certificate;
  throw new SottoError({
    code: 'SOTTO-ROTATE-010',
    what: 'nothing vouches for the new sealing certificate',
    why: `its private key is not among the key files, and no sotto.yaml upwards from here pins ${certificate.fingerprint}`,
    next: `compare the fingerprint with that of the agent (sotto status), then put it into sotto.yaml: sealing.certificate: "${certificate.fingerprint}"`,
    file: name,
  });
}
