import { resolve } from 'node:path';
import { SottoError } from '../../core/errors.ts';
import { pinProblem, type SealingCertificate, sealingCertificate } from '../../sealed/certificate.ts';
import { keyOf } from '../../authoring/reseal-sealed.ts';
import type { UnsealKey } from '../../sealed/sealing-key.ts';
import type { Identity } from '../../sops/identity.ts';
import type { CommandContext } from '../context.ts';
import { readFileBytes } from '../files.ts';
import { pinnedCertificate } from '../sealing-pin.ts';

/** The recipient that gives way: the one that is meant, or the only one whose identity is at hand and that is named. */
export function oldRecipient(
  wanted: string | undefined,
  identities: readonly Identity[],
  named: ReadonlySet<string>,
  made: string | undefined,
): string {
  if (wanted !== undefined) {
    if (named.has(wanted)) return wanted;
    throw whichKey(`neither a file nor a rule names ${wanted}`);
  }
  const held = [...new Set(identities.flatMap((each) => (each.kind === 'age' ? each.recipient : [])))];
  const candidates = held.filter((recipient) => named.has(recipient) && recipient !== made);
  const [only, another] = candidates;
  if (only !== undefined && another === undefined) return only;
  throw whichKey(
    only === undefined
      ? 'files and rules name none of those whose identities are among the key files'
      : `files and rules name ${candidates.join(' and ')}`,
  );
}

/** The certificate to seal for, and that something vouches for it. Throws SottoError. */
export async function newCertificate(
  context: CommandContext,
  name: string,
  keys: readonly UnsealKey[],
  now: Date,
): Promise<SealingCertificate> {
  const certificate = sealingCertificate(await readFileBytes(resolve(context.cwd, name), name), now);
  const pinned = await pinnedCertificate(context);
  const problem = pinProblem(certificate, pinned);
  if (problem !== undefined) throw problem;
  if (pinned !== undefined || keyOf({ certificate, keys }) !== undefined) return certificate;
  throw new SottoError({
    code: 'SOTTO-ROTATE-010',
    what: 'nothing vouches for the new sealing certificate',
    why: `its private key is not among the key files, and no sotto.yaml upwards from here pins ${certificate.fingerprint}`,
    next: `compare the fingerprint with that of the agent (sotto status), then put it into sotto.yaml: sealing.certificate: "${certificate.fingerprint}"`,
    file: name,
  });
}

function whichKey(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-001',
    what: 'nothing says which key is replaced',
    why,
    next: 'sotto recipients list, then the same command with --old age1…',
  });
}
