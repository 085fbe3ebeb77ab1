import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Option } from 'commander';
import { SottoError } from '../../core/errors.ts';
import { Sensitive } from '../../core/sensitive.ts';
import type { SealingCertificate } from '../../sealed/certificate.ts';
import { sealingCertificate } from '../../sealed/certificate.ts';
import { readSecretManifests, wipeSecret } from '../../sealed/plain-secret.ts';
import type { Scope } from '../../sealed/scope.ts';
import { SCOPES, sealLabel } from '../../sealed/scope.ts';
import { checkBinding, sealSecret, sealValue } from '../../sealed/seal.ts';
import { writeSealedSecret } from '../../sealed/write.ts';
import type { CommandContext } from '../context.ts';
import { readFileBytes, readInput, readStdin } from '../files.ts';
import { filenameOption, outputOption } from '../options.ts';
import { say, writeData } from '../output.ts';

interface SealFlags {
  readonly cert: string;
  readonly scope?: Scope;
  readonly raw?: true;
  readonly name?: string;
  readonly namespace?: string;
  readonly mergeInto?: string;
  readonly filename?: string;
  readonly output: 'yaml' | 'json';
}

const EXAMPLES = `
The certificate is public. The agent serves it at /v1/cert.pem; kubeseal --fetch-cert prints that of a stock controller.

Examples:
  sotto seal --cert sealing.pem secret.yaml > sealed.yaml
  kubectl create secret generic db --from-file=password --dry-run=client -o yaml | sotto seal --cert sealing.pem -n team-app -
  printf %s "$PASSWORD" | sotto seal --raw --cert sealing.pem --name db -n team-app

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
    .option('--raw', 'seal the one value on stdin and print the text of its encryptedData entry')
    .option('--name <name>', 'name of the Secret (with --raw)')
    .option('-n, --namespace <namespace>', 'namespace of the Secret, where it names none')
    .option('--merge-into <file>', 'add to an existing SealedSecret (not in this version)')
    .addOption(filenameOption())
    .addOption(outputOption(['yaml', 'json'], 'form of the result').default('yaml'))
    .addHelpText('after', EXAMPLES)
    .action((file: string | undefined, flags: SealFlags) => seal(file, flags, context));
}

async function seal(file: string | undefined, flags: SealFlags, context: CommandContext): Promise<void> {
  if (flags.mergeInto !== undefined) throw mergeNotBuilt();
  if (flags.raw === true && file !== undefined) throw usage('--raw takes no file', 'the value comes on stdin');
  if (flags.raw !== true && file === undefined) throw usage('a file is missing', 'give a file, - for stdin, or --raw');
  if (flags.raw !== true && flags.name !== undefined)
    throw usage('--name goes with --raw only', 'a Secret names itself');
  const certificate = await readCertificate(flags.cert, context);
  if (file === undefined) await sealRaw(certificate, flags, context);
  else await sealFile(file, certificate, flags, context);
}

async function readCertificate(name: string, context: CommandContext): Promise<SealingCertificate> {
  if (/^https?:\/\//i.test(name)) throw urlNotBuilt();
  const pem = await readFileBytes(resolve(context.cwd, name), name);
  try {
    return sealingCertificate(pem, new Date());
  } catch (thrown) {
    throw thrown instanceof SottoError ? thrown.at({ file: name }) : thrown;
  }
}

async function sealFile(
  file: string,
  certificate: SealingCertificate,
  flags: SealFlags,
  context: CommandContext,
): Promise<void> {
  const input = await readInput(context, file, flags.filename);
  const secrets = readSecretManifests(input.bytes, input.name);
  input.bytes.fill(0);
  try {
    const sealed = secrets.map((secret) =>
      sealSecret(secret, certificate, { scope: flags.scope, namespace: flags.namespace }),
    );
    await writeData(context, sealed.map((manifest) => writeSealedSecret(manifest, flags.output)).join(''));
  } catch (thrown) {
    throw thrown instanceof SottoError ? thrown.at({ file: input.name }) : thrown;
  } finally {
    for (const secret of secrets) wipeSecret(secret);
  }
}

const LINE_FEED = 0x0a;

async function sealRaw(certificate: SealingCertificate, flags: SealFlags, context: CommandContext): Promise<void> {
  const scope = flags.scope ?? 'strict';
  const binding = checkBinding({ scope, namespace: flags.namespace ?? '', name: flags.name ?? '' });
  if (context.isTerminal.stdin) await say(context, 'Type the value, then Ctrl-D. It is shown while you type.');
  const bytes = await readStdin(context);
  if (bytes.at(-1) === LINE_FEED)
    await say(context, 'note: the value ends in a line break, which is sealed with it; printf %s leaves it out');
  using value = Sensitive.adopt(bytes);
  // Without a line break, as kubeseal prints it: the text is put into scripts.
  await writeData(context, sealValue(value, certificate, sealLabel(binding)) + (context.isTerminal.stdout ? '\n' : ''));
}

function usage(what: string, why: string): SottoError {
  return new SottoError({ code: 'SOTTO-CLI-001', what, why, next: 'sotto seal --help' });
}

function mergeNotBuilt(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-003',
    what: 'not in this version: --merge-into',
    why: 'existing SealedSecrets are not changed yet',
    next: 'seal the value with --raw and put the text into encryptedData',
  });
}

function urlNotBuilt(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-003',
    what: 'not in this version: a certificate by URL',
    why: 'sealing works offline, with a certificate that was looked at',
    next: 'fetch it once, keep it in the repository, and name the file',
  });
}
