import type { Command } from 'commander';
import { Option } from 'commander';
import { asSottoError, SottoError } from '../../core/errors.ts';
import { memberAt, stringAt } from '../../core/json.ts';
import { pinProblem } from '../../sealed/certificate.ts';
import { isSameSecret, type PlainSecret, readSecretManifests, wipeSecret } from '../../sealed/plain-secret.ts';
import { type Scope, SCOPES } from '../../sealed/scope.ts';
import { sealSecret } from '../../sealed/seal.ts';
import type { UnsealKey } from '../../sealed/sealing-key.ts';
import { writeSealedSecret } from '../../sealed/write.ts';
import { decryptSops } from '../../sops/decrypt.ts';
import { encryptSops } from '../../sops/encrypt.ts';
import { looksEncrypted } from '../../sops/file.ts';
import { readManifests } from '../../yaml/manifest.ts';
import { findAgeIdentities } from '../age-identities.ts';
import { certificateFile } from '../certificate-file.ts';
import type { CommandContext } from '../context.ts';
import { findCreationRule } from '../creation-rules.ts';
import { fileFormat } from '../file-format.ts';
import { type InputFile, readInput, textOf } from '../files.ts';
import { readKeyFiles } from '../key-files.ts';
import { addRecipientOptions, errorFormOption, filenameOption, repeatable } from '../options.ts';
import { say, writeData } from '../output.ts';
import { namedKeys, type RecipientFlags, recipientsOf } from '../recipients.ts';
import { pinnedCertificate } from '../sealing-pin.ts';
import { noSealingKey, unsealedSecrets } from '../unsealed.ts';
import { refuseStdinInPlace, writeInPlace } from '../write-in-place.ts';

interface ConvertFlags extends RecipientFlags {
  readonly cert?: string;
  readonly scope?: Scope;
  readonly keyFile?: readonly string[];
  readonly namespace?: string;
  readonly filename?: string;
  readonly inPlace?: true;
}

const EXAMPLES = `
A SOPS file of Secrets becomes SealedSecrets (--cert), SealedSecrets become a SOPS file (--age, or the rule of .sops.yaml).
Values are only in memory, and nothing is written before it was opened again and compared byte by byte: a SOPS file with
your age identity; a SealedSecret with its private key where --key-file has it, else with its session keys.

Examples:
  sotto convert --cert sealing.pem deploy/db.yaml > db.sealed.yaml
  sotto convert --key-file sealing-keys.yaml --key-file keys.txt --age age1… -i deploy/db.yaml

Exit code: 0 converted, 2 input, certificate or usage, 4 no key opens it, or the result cannot be proved.`;

export function register(program: Command, context: CommandContext): void {
  const command = program
    .command('convert')
    .description('turn a SOPS file into a SealedSecret, or back')
    .argument('<file>', 'SOPS file of Secrets, or SealedSecrets, in YAML or JSON; - for stdin')
    .option('--cert <file>', 'sealing certificate in PEM, for SealedSecrets')
    .addOption(new Option('--scope <scope>', 'what SealedSecrets are bound to').choices(SCOPES))
    .addOption(repeatable('--key-file <file>', 'age identities, sealing-key Secret or List, or private key in PEM'))
    .option('-n, --namespace <namespace>', 'namespace, where the file names none');
  addRecipientOptions(command)
    .option('-i, --in-place', 'replace the content of the file')
    .addOption(filenameOption())
    .addOption(errorFormOption())
    .addHelpText('after', EXAMPLES)
    .action((file: string, flags: ConvertFlags) => convert(file, flags, context));
}

async function convert(file: string, flags: ConvertFlags, context: CommandContext): Promise<void> {
  refuseStdinInPlace(file, flags);
  const input = await readInput(context, file, flags.filename);
  const text = textOf(input);
  const { unsealKeys } = await readKeyFiles(context, flags.keyFile ?? []);
  const result = looksEncrypted(text)
    ? await toSealed(text, input, unsealKeys, flags, context)
    : await toSops(text, input, unsealKeys, flags, context);
  if (flags.inPlace === true) writeInPlace(input.path, input.name, new TextEncoder().encode(result));
  else await writeData(context, result);
}

async function toSealed(
  text: string,
  input: InputFile,
  keys: readonly UnsealKey[],
  flags: ConvertFlags,
  context: CommandContext,
): Promise<string> {
  if (flags.cert === undefined) throw usage('--cert is missing', 'a SOPS file becomes a SealedSecret for somebody');
  const certificate = await certificateFile(context, flags.cert, new Date());
  const unpinned = pinProblem(certificate, await pinnedCertificate(context));
  if (unpinned !== undefined) throw unpinned.at({ file: flags.cert });
  const format = manifestFormat(input.name);
  const { identities } = await findAgeIdentities(context, flags.keyFile ?? []);
  using plaintext = await decryptSops(text, format, input.name, identities);
  const target = { scope: flags.scope, namespace: flags.namespace };
  return withSecrets(plaintext.reveal(), input.name, async (secrets) => {
    const sealed = secrets.map((secret) => writeSealedSecret(sealSecret(secret, certificate, target), format)).join('');
    // Cluster-wide ones need none; whichever stands for it opens them.
    const namespace = flags.namespace ?? 'default';
    const placed = secrets.map((secret) => inNamespace(secret, namespace));
    const opened = await reopened(() => unsealedSecrets(sealed, input.name, namespace, keys, format));
    if (opened === undefined)
      await say(context, 'note: compared with the session keys; the private key is not at hand');
    else await compare(placed, opened, input.name);
    return sealed;
  });
}

/** Secrets and SealedSecrets are manifests, whatever else sops encrypts. */
function manifestFormat(name: string): 'yaml' | 'json' {
  const format = fileFormat(name, {});
  if (format === 'yaml' || format === 'json') return format;
  throw usage(
    `${name} is no manifest`,
    'only YAML and JSON files hold Secrets: their names end in .yaml, .yml or .json',
  );
}

/** Undefined where no key at hand is that of the certificate. */
async function reopened(open: () => Promise<readonly Uint8Array[]>): Promise<readonly Uint8Array[] | undefined> {
  try {
    return await open();
  } catch (thrown) {
    if (asSottoError(thrown).code === 'SOTTO-SEAL-001') return undefined;
    throw thrown;
  }
}

function inNamespace(secret: PlainSecret, namespace: string): PlainSecret {
  const { metadata } = secret;
  return { ...secret, metadata: { ...metadata, namespace: metadata.namespace ?? namespace } };
}

async function toSops(
  text: string,
  input: InputFile,
  keys: readonly UnsealKey[],
  flags: ConvertFlags,
  context: CommandContext,
): Promise<string> {
  if (keys.length === 0) throw noSealingKey();
  const format = manifestFormat(input.name);
  const given = namedKeys(flags, {});
  const named = given.length > 0 ? { groups: [given], threshold: 1 } : await findCreationRule(context, input.path);
  if (named === undefined || named.groups.length === 0)
    throw usage('nobody is named to encrypt for', 'neither --age, --pgp nor a .sops.yaml names one');
  if (named.groups.flat().some(({ kind }) => kind !== 'age' && kind !== 'pgp'))
    throw usage('the rule names a key service', 'convert encrypts for age recipients and OpenPGP keys: name them');
  const recipients = await recipientsOf(context, named, flags, input.name);
  const opened = await unsealedSecrets(text, input.name, flags.namespace ?? '', keys, format);
  await tellLost(text, input.name, context);
  const plaintext = Buffer.concat(opened);
  for (const bytes of opened) bytes.fill(0);
  const selector = { kind: 'encrypted_regex', value: '^(data|stringData)$' } as const;
  try {
    return await withSecrets(plaintext, input.name, async (secrets) => {
      const clear = plaintext.toString('utf8');
      const encrypted = await encryptSops(clear, { format, file: input.name, recipients, selector, now: new Date() });
      const { identities } = await findAgeIdentities(context, flags.keyFile ?? []);
      using again = await provable(() => decryptSops(encrypted, format, input.name, identities), input.name);
      await compare(secrets, [again.reveal()], input.name);
      return encrypted;
    });
  } finally {
    plaintext.fill(0);
  }
}

async function provable<T>(open: () => Promise<T>, file: string): Promise<T> {
  try {
    return await open();
  } catch (thrown) {
    if (!asSottoError(thrown).code.startsWith('SOTTO-AGE-')) throw thrown;
    throw new SottoError({
      code: 'SOTTO-CLI-114',
      what: 'the conversion cannot be proved, and nothing was written',
      file,
      why: 'no age identity at hand is that of a recipient, so the result cannot be opened and compared',
      next: 'add --age with a recipient of yours, and --key-file with its identity',
    });
  }
}

/** Labels and annotations of the resource itself do not reach its Secret; the scope is what it was bound to. */
async function tellLost(text: string, name: string, context: CommandContext): Promise<void> {
  for (const { value } of readManifests(text, name)) {
    const lost = (['labels', 'annotations'] as const)
      .flatMap((field) => Object.keys(memberAt(value, 'metadata', field) ?? {}))
      .filter((key) => !key.startsWith('sealedsecrets.bitnami.com/'));
    if (lost.length > 0)
      await say(
        context,
        `note: of ${stringAt(value, 'metadata', 'name') ?? name} itself, not of its Secret: ${lost.join(', ')}`,
      );
  }
}

async function withSecrets<T>(
  bytes: Uint8Array,
  file: string,
  use: (secrets: readonly PlainSecret[]) => Promise<T>,
): Promise<T> {
  const secrets = readSecretManifests(bytes, file);
  try {
    return await use(secrets);
  } finally {
    for (const secret of secrets) wipeSecret(secret);
  }
}

/** What was written, opened again, against what was read. */
async function compare(before: readonly PlainSecret[], after: readonly Uint8Array[], file: string): Promise<void> {
  const joined = Buffer.concat(after);
  for (const bytes of after) bytes.fill(0);
  try {
    await withSecrets(joined, file, (secrets) => {
      const isSame =
        secrets.length === before.length &&
        secrets.every((secret, index) => {
          const other = before[index];
          return other !== undefined && isSameSecret(secret, other);
        });
      if (!isSame) throw otherValues(file);
      return Promise.resolve();
    });
  } finally {
    joined.fill(0);
  }
}

function otherValues(file: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-115',
    what: 'the conversion gave other values, and nothing was written',
    file,
    why: 'what was encrypted does not open to what was read',
    next: 'report this as a defect, without the values',
  });
}

function usage(what: string, why: string): SottoError {
  return new SottoError({ code: 'SOTTO-CLI-001', what, why, next: 'sotto convert --help' });
}
