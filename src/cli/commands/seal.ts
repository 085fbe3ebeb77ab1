import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Option } from 'commander';
import { SottoError } from '../../core/errors.ts';
import { Sensitive } from '../../core/sensitive.ts';
import type { SealingCertificate } from '../../sealed/certificate.ts';
import { pinProblem } from '../../sealed/certificate.ts';
import { type PlainSecret, readSecretManifests, wipeSecret } from '../../sealed/plain-secret.ts';
import type { Scope } from '../../sealed/scope.ts';
import { SCOPES, sealLabel } from '../../sealed/scope.ts';
import { checkBinding, sealSecret, sealValue } from '../../sealed/seal.ts';
import { writeSealedSecret } from '../../sealed/write.ts';
import { certificateFile } from '../certificate-file.ts';
import type { CommandContext } from '../context.ts';
import { readFileBytes, readInput, readStdin } from '../files.ts';
import { readHidden } from '../hidden-input.ts';
import { checkSource, openTarget, sealInto } from '../merge-into.ts';
import { filenameOption, outputOption } from '../options.ts';
import { say, writeData } from '../output.ts';
import { pinnedCertificate } from '../sealing-pin.ts';

interface SealFlags {
  readonly cert: string;
  readonly scope?: Scope;
  readonly raw?: true;
  readonly name?: string;
  readonly namespace?: string;
  readonly item?: string;
  readonly fromFile?: string;
  readonly mergeInto?: string;
  readonly filename?: string;
  readonly output: 'yaml' | 'json';
}

const EXAMPLES = `
The certificate is public. The agent serves it at /v1/cert.pem; kubeseal --fetch-cert prints that of a stock controller.

Where sotto.yaml upwards from here pins a fingerprint (sealing.certificate), no other certificate is taken.

--merge-into takes scope, name and namespace from the file and changes nothing else in it: what it puts there opens there.

Examples:
  sotto seal --cert sealing.pem secret.yaml > sealed.yaml
  kubectl create secret generic db --from-file=password --dry-run=client -o yaml | sotto seal --cert sealing.pem -n team-app -
  printf %s "$PASSWORD" | sotto seal --raw --cert sealing.pem --name db -n team-app
  sotto seal --raw --cert sealing.pem --merge-into sealed.yaml --item password
  sotto seal --cert sealing.pem --merge-into sealed.yaml more.yaml

Exit code: 0 sealed, 2 input, certificate or usage.`;

export function register(program: Command, context: CommandContext): void {
  program
    .command('seal')
    .description('make a SealedSecret of a Secret, for whoever holds the private key')
    .argument('[file]', 'Secrets in YAML or JSON; - for stdin')
    .requiredOption('--cert <file>', 'sealing certificate in PEM')
    .addOption(
      new Option('--scope <scope>', 'what the result is bound to (default: by the annotations, else strict)').choices(
        SCOPES,
      ),
    )
    .option('--raw', 'seal one value (stdin, prompt or --from-file) and print the text of its encryptedData entry')
    .option('--from-file <file>', 'file that is the value (with --raw)')
    .option('--name <name>', 'name of the Secret (with --raw)')
    .option('-n, --namespace <namespace>', 'namespace of the Secret, where it names none')
    .option('--merge-into <file>', 'put the items into this SealedSecret, sealed as it says')
    .option('--item <name>', 'entry that the value becomes (with --raw --merge-into)')
    .addOption(filenameOption())
    .addOption(outputOption(['yaml', 'json'], 'form of the result').default('yaml'))
    .addHelpText('after', EXAMPLES)
    .action((file: string | undefined, flags: SealFlags) => seal(file, flags, context));
}

async function seal(file: string | undefined, flags: SealFlags, context: CommandContext): Promise<void> {
  checkUsage(file, flags);
  const certificate = await readCertificate(flags.cert, context);
  if (flags.mergeInto !== undefined) await merge(flags.mergeInto, file, certificate, flags, context);
  else if (file === undefined) await sealRaw(certificate, flags, context);
  else await sealFile(file, certificate, flags, context);
}

function checkUsage(file: string | undefined, { raw, name, item, fromFile, mergeInto }: SealFlags): void {
  if (raw === true && file !== undefined) throw usage('--raw takes no file', 'the value comes on stdin');
  if (raw !== true && file === undefined) throw usage('a file is missing', 'give a file, - for stdin, or --raw');
  if (raw !== true && name !== undefined) throw usage('--name goes with --raw only', 'a Secret names itself');
  if (raw !== true && fromFile !== undefined)
    throw usage('--from-file goes with --raw only', 'a Secret has its values in itself');
  if (item !== undefined && (raw !== true || mergeInto === undefined))
    throw usage('--item goes with --raw and --merge-into only', 'it names the entry that the value becomes');
  if (raw === true && mergeInto !== undefined && item === undefined)
    throw usage('--item is missing', 'the value needs the name of its entry in the file');
}

async function readCertificate(name: string, context: CommandContext): Promise<SealingCertificate> {
  if (/^https?:\/\//i.test(name)) throw urlNotBuilt();
  const certificate = await certificateFile(context, name, new Date());
  const unpinned = pinProblem(certificate, await pinnedCertificate(context));
  if (unpinned !== undefined) throw unpinned.at({ file: name });
  return certificate;
}

async function sealFile(
  file: string,
  certificate: SealingCertificate,
  flags: SealFlags,
  context: CommandContext,
): Promise<void> {
  await withSecrets(file, flags, context, async (secrets) => {
    const sealed = secrets.map((secret) =>
      sealSecret(secret, certificate, { scope: flags.scope, namespace: flags.namespace }),
    );
    await writeData(context, sealed.map((manifest) => writeSealedSecret(manifest, flags.output)).join(''));
  });
}

async function withSecrets(
  file: string,
  flags: SealFlags,
  context: CommandContext,
  use: (secrets: readonly PlainSecret[]) => Promise<void>,
): Promise<void> {
  const input = await readInput(context, file, flags.filename);
  const secrets = readSecretManifests(input.bytes, input.name);
  input.bytes.fill(0);
  try {
    await use(secrets);
  } catch (thrown) {
    throw thrown instanceof SottoError ? thrown.at({ file: input.name }) : thrown;
  } finally {
    for (const secret of secrets) wipeSecret(secret);
  }
}

async function merge(
  into: string,
  file: string | undefined,
  certificate: SealingCertificate,
  flags: SealFlags,
  context: CommandContext,
): Promise<void> {
  const target = await openTarget(into, flags, context);
  if (file === undefined) {
    using value = await readValue(flags, context);
    await sealInto(target, new Map([[flags.item ?? '', value]]), certificate, context);
    return;
  }
  await withSecrets(file, flags, context, async (secrets) => {
    const [secret, second] = secrets;
    if (secret === undefined || second !== undefined)
      throw usage('--merge-into takes one Secret', `the input has ${secrets.length}`);
    await checkSource(secret, target, context);
    await sealInto(target, secret.data, certificate, context);
  });
}

const LINE_FEED = 0x0a;

async function sealRaw(certificate: SealingCertificate, flags: SealFlags, context: CommandContext): Promise<void> {
  const scope = flags.scope ?? 'strict';
  const binding = checkBinding({ scope, namespace: flags.namespace ?? '', name: flags.name ?? '' });
  using value = await readValue(flags, context);
  // Without a line break, as kubeseal prints it: the text is put into scripts.
  await writeData(context, sealValue(value, certificate, sealLabel(binding)) + (context.isTerminal.stdout ? '\n' : ''));
}

/** From a file, from the keyboard without showing it, or from stdin as it is. */
async function readValue({ fromFile }: SealFlags, context: CommandContext): Promise<Sensitive> {
  if (fromFile !== undefined) {
    return noted(await readFileBytes(resolve(context.cwd, fromFile), fromFile), context);
  }
  if (!context.isTerminal.stdin) return noted(await readStdin(context), context);
  const typed = await readHidden(context, 'value (not shown while you type, ends with Enter): ');
  if (typed !== undefined) return Sensitive.adopt(typed);
  await say(context, 'Type the value, then Ctrl-D. It is shown while you type.');
  return noted(await readStdin(context), context);
}

async function noted(bytes: Uint8Array<ArrayBuffer>, context: CommandContext): Promise<Sensitive> {
  if (bytes.at(-1) === LINE_FEED)
    await say(context, 'note: the value ends in a line break, which is sealed with it; printf %s leaves it out');
  return Sensitive.adopt(bytes);
}

function usage(what: string, why: string): SottoError {
  return new SottoError({ code: 'SOTTO-CLI-001', what, why, next: 'sotto seal --help' });
}

function urlNotBuilt(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-003',
    what: 'not in this version: a certificate by URL',
    why: 'sealing works offline, with a certificate that was looked at',
    next: 'fetch it once, keep it in the repository, and name the file',
  });
}
