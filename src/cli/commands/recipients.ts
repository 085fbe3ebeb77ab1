import type { Command } from 'commander';
import { shellWord } from '../../core/shell-word.ts';
import type { PgpKeyBlock } from '../../sops/pgp-key.ts';
import { confirmed } from '../ask.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { servicesAtHand } from '../key-services.ts';
import { errorFormOption, keyFileOption, keyServiceOption, outputOption, repeatable } from '../options.ts';
import { jsonText, say, table, writeData } from '../output.ts';
import { harmless } from '../terminal.ts';
import { coveredFiles, policyHere, type PolicyFile } from '../recipients/coverage.ts';
import {
  type ChangeFlags,
  planAdd,
  planRemove,
  policyRecipient,
  prepareFiles,
  type PlannedFile,
  type RecipientPlan,
  writeFiles,
} from '../recipients/change.ts';
import { findingsOf, recipientRows } from '../recipients/report.ts';
import { publicKeys } from '../recipients.ts';
import { withIdentities } from '../with-identities.ts';

const EXAMPLES = `
Recipients stand in .sops.yaml and, wrapped, in each file that it covers. A file is covered by the first rule whose
path_regex matches its path from the folder of .sops.yaml on; folders with a .sops.yaml of their own are left out.

check needs no key: it compares what files and rules name, every kind of key and key groups included.
add wraps the data key of each file once more; values keep their ciphertext. remove always makes new data keys.
Both change nothing in .sops.yaml but the recipient, and open every file again before it replaces the old one.
Whoever was removed could read the values as they are: change them, too.

Examples:
  sotto recipients check
  sotto recipients add age1… --key-file keys.txt
  sotto recipients remove age1… --dry-run

Exit code: 0 done, 1 a file differs from the rules, 2 input, rules or usage, 4 no key opens a file or it was changed.`;

interface ReportFlags {
  readonly output?: 'json';
}

interface EditFlags extends ChangeFlags {
  readonly keyFile?: readonly string[];
  readonly pgpKey?: readonly string[];
  readonly keyService?: readonly string[];
  readonly dryRun?: true;
  readonly plan?: true;
  readonly yes?: true;
}

export function register(program: Command, context: CommandContext): void {
  const recipients = program
    .command('recipients')
    .description('for whom files are encrypted: list, check, add, remove')
    .addHelpText('after', EXAMPLES);
  recipients
    .command('list')
    .description('whom rules and files name')
    .addOption(outputOption(['json'], 'one JSON document'))
    .action((flags: ReportFlags) => list(flags, context));
  recipients
    .command('check')
    .description('whether every file is encrypted for those whom its rule names; no key is needed')
    .addOption(outputOption(['json'], 'one JSON document'))
    .action((flags: ReportFlags) => check(flags, context));
  changing(recipients, 'add', 'let somebody open the files of a rule')
    .option('--group <number>', 'which of several key groups')
    .option('--all-rules', 'every rule of .sops.yaml')
    .action((recipient: string, flags: EditFlags) => change('add', recipient, flags, context));
  changing(recipients, 'remove', 'take somebody out of the rules and files, with new data keys').action(
    (recipient: string, flags: EditFlags) => change('remove', recipient, flags, context),
  );
}

function changing(recipients: Command, name: string, description: string): Command {
  return recipients
    .command(name)
    .description(description)
    .argument('<recipient>', 'age1…, ssh-ed25519 …, or the fingerprint of an OpenPGP key')
    .option('--rule <number>', 'of .sops.yaml, counted from 1')
    .addOption(keyFileOption())
    .addOption(repeatable('--pgp-key <file>', 'public OpenPGP keys (.asc) that rules name'))
    .addOption(keyServiceOption())
    .option('--dry-run', 'show what would change, and change nothing')
    .option('--plan', 'the same')
    .option('--yes', 'change it without asking')
    .addOption(errorFormOption());
}

async function list({ output }: ReportFlags, context: CommandContext): Promise<void> {
  const policyFile = await policyHere(context);
  const rows = recipientRows(await coveredFiles(context, policyFile), policyFile);
  if (output === 'json') return writeData(context, jsonText({ recipients: rows }));
  const cells = rows.map(({ recipient, rule, pathRegex, group, files, of }) => [
    rule === undefined ? 'none' : `${rule}${group === undefined ? '' : `, group ${group}`}`,
    rule === undefined ? '-' : pathRegex === '' ? 'every file' : pathRegex,
    `${files} of ${of}`,
    recipient,
  ]);
  await writeData(context, table(['RULE', 'PATHS', 'FILES', 'RECIPIENT'], cells));
}

async function check({ output }: ReportFlags, context: CommandContext): Promise<void> {
  const policyFile = await policyHere(context);
  const files = await coveredFiles(context, policyFile);
  const findings = findingsOf(files, policyFile);
  if (findings.length > 0) context.exitWith(EXIT.findings);
  if (output === 'json') {
    return writeData(context, jsonText({ files: files.length, findings }));
  }
  const rows = findings.map(({ file, code, message }) => [file, code, message]);
  if (rows.length > 0) await writeData(context, table(['FILE', 'CODE', 'FINDING'], rows));
  const count = new Set(findings.map(({ file }) => file)).size;
  const result = count === 0 ? 'all as the rules say' : `${count} not as the rules say`;
  await say(context, `${files.length} files, ${result}`);
}

async function change(what: 'add' | 'remove', word: string, flags: EditFlags, context: CommandContext): Promise<void> {
  const recipient = policyRecipient(word);
  const policyFile = await policyHere(context);
  const files = await coveredFiles(context, policyFile);
  const plan = (what === 'add' ? planAdd : planRemove)(recipient, files, policyFile, flags);
  const isEmpty = plan.policyText === policyFile.text && plan.files.length === 0;
  if (isEmpty) return say(context, 'nothing to change: rules and files are so already');
  await showPlan(plan, policyFile, context);
  if (flags.dryRun === true || flags.plan === true) return;
  const command = `sotto recipients ${what}${placeFlags(flags)} ${shellWord(word)}`;
  if (!(await confirmed(context, 'Change this?', { ...flags, command }))) return;
  const pgpKeys: PgpKeyBlock[] = [];
  for (const name of flags.pgpKey ?? []) pgpKeys.push(...(await publicKeys(context, name)));
  const services = servicesAtHand(context, flags.keyService);
  const [first] = plan.files;
  const name = first?.file.sealed.name ?? policyFile.input.name;
  const opening = { name, command: `recipients ${what}${placeFlags(flags)}`, words: [word], ...flags };
  const prepared = await withIdentities(context, opening, (identities) =>
    prepareFiles(plan.files, identities, { pgpKeys, services }, new Date()),
  );
  writeFiles(policyFile, plan.policyText, prepared);
  await say(context, `${prepared.length} files changed, each opened again and compared before`);
  if (what === 'remove' && prepared.length > 0)
    await say(context, 'note: whoever was removed could read the values as they are, and Git keeps them: change them');
}

/** Which rules were meant, as typed, for the hint. */
function placeFlags({ rule, group, allRules }: EditFlags): string {
  const named = [rule === undefined ? [] : ['--rule', rule], group === undefined ? [] : ['--group', group]];
  return [...named.flat(), ...(allRules === true ? ['--all-rules'] : [])].map((word) => ` ${shellWord(word)}`).join('');
}

async function showPlan({ policyText, files }: RecipientPlan, policyFile: PolicyFile, context: CommandContext) {
  if (policyText !== policyFile.text) await writeData(context, `${harmless(policyFile.input.name)}: its recipients\n`);
  for (const planned of files) await writeData(context, `${harmless(planLine(planned))}\n`);
}

function planLine({ file, added, removed, mode }: PlannedFile): string {
  const changes = [...added.map((name) => `+ ${name}`), ...removed.map((name) => `- ${name}`)];
  const key = mode === 'new-data-key' ? 'new data key' : 'same data key';
  return `${file.sealed.name}: ${[...changes, key].join(', ')}`;
}
