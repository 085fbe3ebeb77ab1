import { SottoError } from '../core/errors.ts';
import { fileWord } from '../core/shell-word.ts';
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
  /** Its arguments, in order; the file alone where nobody says. */
  readonly words?: readonly string[];
  readonly keyFile?: readonly string[];
  readonly keyService?: readonly string[];
}

/** Opens something with the identities at hand. When none fits, the sources that were passed over are told. */
export async function withIdentities<T>(
  context: CommandContext,
  { name, command, words = [name], keyFile, keyService }: Opening,
  open: (identities: readonly Identity[]) => Promise<T>,
): Promise<T> {
  const { identities, notes } = await findAgeIdentities(context, keyFile ?? []);
  try {
    return await open([...identities, servicesAtHand(context, keyService)]);
  } catch (thrown) {
    // Only a matter of keys makes it worth knowing which sources were passed over.
    if (!(thrown instanceof SottoError) || !isMatterOfKeys(thrown)) throw thrown;
    for (const note of notes) await say(context, `note: ${note}`);
    // With its cause in a key service, an identity is not what is missing.
    const lacksIdentity = thrown.code === 'SOTTO-AGE-001' || (thrown.code === 'SOTTO-SOPS-030' && !thrown.cause);
    const isNobody = identities.length === 0 && lacksIdentity;
    throw isNobody ? noIdentity(`${command} --key-file keys.txt ${words.map(typedWord).join(' ')}`, thrown) : thrown;
  }
}

function isMatterOfKeys({ code }: SottoError): boolean {
  return code.startsWith('SOTTO-AGE-') || code.startsWith('SOTTO-KEYS-') || code === 'SOTTO-SOPS-030';
}

/** `-` is stdin. */
const typedWord = (word: string): string => (word === '-' ? word : fileWord(word));

/** The original error names the recipients of the file, and its groups. */
function noIdentity(command: string, { why, place }: SottoError): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-008',
    what: 'no identity is at hand',
    why: `${why}; neither --key-file nor SOPS_AGE_KEY, SOPS_AGE_KEY_FILE, an SSH key or keys.txt of sops holds one`,
    next: `sotto ${command}`,
    ...place,
  });
}
