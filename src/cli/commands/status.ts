import type { Command } from 'commander';
import { dump } from 'js-yaml';
import { systemClock } from '../../core/clock.ts';
import { SottoError } from '../../core/errors.ts';
import type { Json } from '../../core/json.ts';
import { stringAt } from '../../core/json.ts';
import { loadConnection } from '../../kube/connection.ts';
import { kubeError } from '../../kube/errors.ts';
import { getObject } from '../../kube/objects.ts';
import { CONFIG_MAPS } from '../../kube/resource.ts';
import { Transport } from '../../kube/transport.ts';
import { STATUS_CONFIGMAP, STATUS_KEY, STATUS_SCHEMA } from '../../report/status.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { contextOption, kubeconfigOption, namespaceOption, outputOption } from '../options.ts';
import { say, writeData } from '../output.ts';
import { isReady, statusText } from '../status-view.ts';
import { escaped, paintFor } from '../terminal.ts';

interface StatusFlags {
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly output?: 'json' | 'yaml';
}

const EXAMPLES = `
Examples:
  sotto status -n team-app
  sotto status -n team-app -o json

Exit code: 0 every sync is Ready, 1 not Ready or no status yet, 2 usage, 3 cluster unreachable, 5 forbidden.`;

export function register(program: Command, context: CommandContext): void {
  program
    .command('status')
    .description('what the agent says about its syncs')
    .addOption(namespaceOption())
    .addOption(kubeconfigOption())
    .addOption(contextOption())
    .addOption(outputOption(['json', 'yaml'], 'print the whole status document'))
    .addHelpText('after', EXAMPLES)
    .action(async (flags: StatusFlags) => {
      const status = parseStatus(await readStatus(flags, context));
      await writeData(context, shown(status, flags, context));
      if (!isReady(status)) context.exitWith(EXIT.findings);
    });
}

async function readStatus(flags: StatusFlags, context: CommandContext): Promise<string> {
  const { kubeconfig, context: contextName } = flags;
  const connection = await loadConnection({ kubeconfig, context: contextName, env: context.env, clock: systemClock });
  for (const warning of connection.warnings) await say(context, `warning: ${warning}`);
  const namespace = flags.namespace ?? connection.namespace;
  const target = { resource: CONFIG_MAPS, namespace, name: STATUS_CONFIGMAP };
  const transport = new Transport(connection, { clock: systemClock });
  try {
    const found = await getObject(transport, { ...target, signal: context.signal });
    if (!found.ok) throw kubeError(found.failure, { ...target, verb: 'get', user: connection.user });
    const text = stringAt(found.value, 'data', STATUS_KEY);
    if (text === undefined) throw noStatus(namespace);
    return text;
  } finally {
    transport.close();
  }
}

function parseStatus(text: string): Json {
  let status: Json;
  try {
    status = JSON.parse(text) as Json;
  } catch {
    throw unreadable('it is not JSON');
  }
  const schema = stringAt(status, 'schema');
  if (schema !== STATUS_SCHEMA) throw unreadable(`its schema is not ${STATUS_SCHEMA}`);
  return status;
}

function shown(status: Json, flags: StatusFlags, context: CommandContext): string {
  if (flags.output === undefined) return statusText(status, paintFor(context, 'stdout'));
  if (flags.output === 'json') return escaped(`${JSON.stringify(status)}\n`);
  return escaped(dump(status, { lineWidth: -1, forceQuotes: true, quoteStyle: 'double' }));
}

function noStatus(namespace: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-010',
    what: `namespace ${namespace} has no status of an agent`,
    object: `ConfigMap/${STATUS_CONFIGMAP}`,
    why: 'no agent has written one there yet',
    next: `check the namespace (-n), or look at the agent: kubectl -n ${namespace} logs deploy/sotto`,
  });
}

function unreadable(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-011',
    what: 'the status document cannot be read',
    object: `ConfigMap/${STATUS_CONFIGMAP}`,
    key: STATUS_KEY,
    why,
    next: 'use the version of sotto that the agent has (sotto version)',
  });
}
