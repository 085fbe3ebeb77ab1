import { SottoError } from '../core/errors.ts';
import type { Identity } from '../sops/identity.ts';
import { findAgeIdentities } from './age-identities.ts';
import type { CommandContext } from './context.ts';
import { servicesAtHand } from './key-services.ts';
import { say } from './output.ts';

export interface Opening {
  /** The file, as the person called it. */
  readonly name: string;
  /** What was typed, for the hint: `secret set`. */
  readonly command: string;
  readonly keyFile?: readonly string[];
  readonly keyService?: readonly string[];
}

/** Opens something with the identities at hand. When none fits, the sources that were passed over are told. */
export async function withIdentities<T>(
  context: CommandContext,
  { name, command, keyFile, keyService }: Opening,
  open: (identities: readonly Identity[]) => Promise<T>,
): Promise<T> {
  const { identities, notes } = await findAgeIdentities(context, keyFile ?? []);
  try {
    return await open([...identities, servicesAtHand(context, keyService)]);
  } catch (thrown) {
    // Only a matter of keys makes it worth knowing which sources were passed over.
    if (!(thrown instanceof SottoError) || !thrown.code.startsWith('SOTTO-AGE-')) throw thrown;
    for (const note of notes) await say(context, `note: ${note}`);
    throw identities.length === 0 ? noIdentity(name, command) : thrown;
  }
}

function noIdentity(name: string, command: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-008',
    what: 'no age identity is at hand',
    file: name,
    why: 'neither --key-file nor SOPS_AGE_KEY, SOPS_AGE_KEY_FILE or keys.txt of sops holds one',
    next: `sotto ${command} --key-file keys.txt ${name}`,
  });
}
