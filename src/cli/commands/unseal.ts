import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { readInput, textOf } from '../files.ts';
import { readKeyFiles } from '../key-files.ts';
import { filenameOption, outputOption, repeatable } from '../options.ts';
import { writeData } from '../output.ts';
import { noSealingKey, unsealedSecrets } from '../unsealed.ts';

interface UnsealFlags {
  readonly keyFile: readonly string[];
  readonly namespace?: string;
  readonly filename?: string;
  readonly output: 'yaml' | 'json';
}

const EXAMPLES = `
The backup of sealing keys, as it is recommended for the stock controller, is a fitting key file:
  kubectl get secret -n kube-system -l sealedsecrets.bitnami.com/sealed-secrets-key -o yaml > keys.yaml

Examples:
  sotto unseal --key-file keys.yaml sealed.yaml
  sotto unseal --key-file sealing-key.pem -o json - < sealed.yaml | jq .data

Exit code: 0 opened, 2 input or usage, 4 no key opens it.`;

export function register(program: Command, context: CommandContext): void {
  program
    .command('unseal')
    .description('make a Secret of a SealedSecret, with its private key')
    .argument('<file>', 'SealedSecrets in YAML or JSON; - for stdin')
    .addOption(
      repeatable(
        '--key-file <file>',
        'sealing-key Secret or List in YAML or JSON, or private key in PEM',
      ).makeOptionMandatory(),
    )
    .option('-n, --namespace <namespace>', 'namespace of a SealedSecret that names none')
    .addOption(filenameOption())
    .addOption(outputOption(['yaml', 'json'], 'form of the result').default('yaml'))
    .addHelpText('after', EXAMPLES)
    .action((file: string, flags: UnsealFlags) => unseal(file, flags, context));
}

async function unseal(file: string, flags: UnsealFlags, context: CommandContext): Promise<void> {
  const { unsealKeys } = await readKeyFiles(context, flags.keyFile);
  if (unsealKeys.length === 0) throw noSealingKey();
  const input = await readInput(context, file, flags.filename);
  const secrets = await unsealedSecrets(textOf(input), input.name, flags.namespace ?? '', unsealKeys, flags.output);
  try {
    for (const bytes of secrets) await writeData(context, bytes);
  } finally {
    for (const bytes of secrets) bytes.fill(0);
  }
}
