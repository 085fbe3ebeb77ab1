import type { Command } from 'commander';
import { Option } from 'commander';

/** Flags that several commands share, so that they have one spelling and one help text. */

/** `-o json`: the form of the data, and of errors too. */
export function outputOption(forms: readonly string[], description: string): Option {
  return new Option('-o, --output <form>', description).choices(forms);
}

export const namespaceOption = (): Option => new Option('-n, --namespace <namespace>', 'namespace of the agent');
export const kubeconfigOption = (): Option => new Option('--kubeconfig <file>', 'kubeconfig to use');
export const contextOption = (): Option => new Option('--context <name>', 'context of the kubeconfig');

/** The name that rules, format and messages go by when the content comes on stdin. */
export const filenameOption = (): Option => new Option('--filename <name>', 'name of the content on stdin');

/** Where the result is the file itself, `-o` only says how errors are printed. */
export const errorFormOption = (): Option => outputOption(['json'], 'print errors as JSON');

export interface FileFlags {
  readonly inPlace?: true;
  readonly inputType?: string;
  readonly outputType?: string;
  readonly filename?: string;
}

export const inputTypeOption = (): Option =>
  new Option('--input-type <type>', 'yaml, json, dotenv, ini or binary (default: by the name)');

export const keyFileOption = (): Option =>
  repeatable(
    '--key-file <file>',
    'age identities, OpenPGP key, or a Secret with *.agekey or *.asc entries; tried first',
  );

/** For whom a file is encrypted. */
export function addRecipientOptions(command: Command): Command {
  return command
    .addOption(repeatable('--age <recipient>', 'age recipient (age1…), several by comma or by repeating'))
    .addOption(repeatable('--pgp <fingerprint>', 'OpenPGP key, several by comma or by repeating'))
    .addOption(repeatable('--pgp-key <file>', 'public OpenPGP keys (.asc) for --pgp and the rules of .sops.yaml'));
}

export const keyServiceOption = (): Option =>
  repeatable(
    '--key-service <name>',
    'key service that may be called: address of Vault, ARN (with +ROLE) of a key of AWS KMS, name of one of Google Cloud KMS, URL of a vault of Azure, as the file names it',
  );

/** The flags of commands that rewrite one file, as sops has them. */
export function addFileOptions(command: Command): Command {
  return command
    .option('-i, --in-place', 'replace the content of the file')
    .addOption(inputTypeOption())
    .option('--output-type <type>', 'the same (default: as it was read)')
    .addOption(filenameOption());
}

/** Repeatable: collects what is given, in order. */
export function repeatable(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, earlier: readonly string[] | undefined) => [
    ...(earlier ?? []),
    value,
  ]);
}
