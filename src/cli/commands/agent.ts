import type { Command } from 'commander';
import { Option } from 'commander';
import { SottoError } from '../../core/errors.ts';
import type { CommandContext } from '../context.ts';
import { EXIT, exitOfFinding } from '../exit-codes.ts';
import { contextOption, kubeconfigOption, namespaceOption, repeatable } from '../options.ts';
import { say } from '../output.ts';
import { VERSION } from '../version.ts';

interface AgentFlags {
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly config?: string;
  readonly listen: string;
  readonly allowSource?: readonly string[];
  readonly folderRoot?: string;
  readonly renderer?: string;
  readonly rendererToken?: string;
  readonly takeOver?: true;
  readonly once?: true;
  readonly logLevel: LogLevel;
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

const EXAMPLES = `
In a cluster no flag is needed: service account, its namespace, and port 8080 are found.

Examples:
  sotto agent
  sotto agent -n team-app --config sotto.yaml --once
  sotto agent -n team-app --context dev --listen 127.0.0.1:8080 --log-level debug

Exit code of --once: 0 all syncs ready, 1 not ready, 2 settings, 3 unreachable, 4 cannot decrypt, 5 forbidden.`;

export function register(program: Command, context: CommandContext): void {
  program
    .command('agent')
    .description('run the agent: pull, decrypt, apply, and keep it so')
    .addOption(namespaceOption())
    .addOption(kubeconfigOption())
    .addOption(contextOption())
    .option('--config <file>', 'settings from a file instead of ConfigMap sotto')
    .option('--listen <host:port>', 'probes, metrics and sealing certificate; "" for off', ':8080')
    .addOption(repeatable('--allow-source <prefix>', 'URL prefix whose credential Secrets need no annotation'))
    .option('--folder-root <dir>', 'root of folder sources (not in this version)')
    .option('--renderer <address>', 'who runs kustomize: unix:/PATH or tcp:HOST:PORT (default: the kustomize in PATH)')
    .option('--renderer-token <file>', 'token that the renderer at a port has too')
    .option('--take-over', 'run even if another agent of this namespace is alive')
    .option('--once', 'one pass of every sync, then end')
    .addOption(
      new Option('--log-level <level>', 'least severe level that is logged').choices(LOG_LEVELS).default('info'),
    )
    .addHelpText('after', EXAMPLES)
    .action((flags: AgentFlags) => startAgent(flags, context));
}

async function startAgent(flags: AgentFlags, context: CommandContext): Promise<void> {
  if (flags.folderRoot !== undefined) throw folderRootNotBuilt();
  if (context.isTerminal.stderr)
    await say(context, `sotto ${VERSION}: the log is JSON, one line per event; Ctrl-C ends`);
  const { runAgent } = await import('../../agent/main.ts');
  const end = await runAgent({
    version: VERSION,
    env: context.env,
    cwd: context.cwd,
    stdout: context.stdout,
    signal: context.signal,
    namespace: flags.namespace,
    kubeconfig: flags.kubeconfig,
    context: flags.context,
    configFile: flags.config,
    listen: flags.listen,
    allowedSources: flags.allowSource ?? [],
    renderer: flags.renderer,
    rendererToken: flags.rendererToken,
    takeOver: flags.takeOver === true,
    once: flags.once === true,
    logLevel: flags.logLevel,
  });
  for (const code of end.problems) context.exitWith(exitOfFinding(code));
  if (!end.isReady) context.exitWith(EXIT.findings);
}

function folderRootNotBuilt(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-003',
    what: 'not in this version: --folder-root',
    why: 'folder sources are not built yet',
    next: 'use a Git source',
  });
}
