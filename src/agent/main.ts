import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../core/clock.ts';
import { SottoError } from '../core/errors.ts';
import { loadConnection } from '../kube/connection.ts';
import { Transport } from '../kube/transport.ts';
import { createLogger, type Logger } from '../report/log.ts';
import { createMetrics } from '../report/metrics.ts';
import { Agent } from './agent.ts';
import type { AgentEnd, AgentOptions } from './options.ts';
import { type Listener, parseListenAddress, startListener } from './serve/listener.ts';

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

/** Runs the agent until its signal, or for one pass of every sync. Throws SottoError for what a person must mend first. */
export async function runAgent(options: AgentOptions): Promise<AgentEnd> {
  const log = createLogger({ stream: options.stdout, level: options.logLevel });
  const metrics = createMetrics(options.version);
  const connection = await loadConnection({
    kubeconfig: options.kubeconfig,
    context: options.context,
    env: options.env,
    clock: systemClock,
  });
  for (const warning of connection.warnings) log.warn(warning);
  const transport = new Transport(connection, {
    clock: systemClock,
    userAgent: `sotto/${options.version}`,
    onRequest: ({ verb, resource, status }) =>
      metrics.apiRequest({ verb, resource, code: status === 0 ? 'none' : status }),
  });
  const workDir = await makeWorkDir(options.env);
  const agent = new Agent({
    agentNamespace: options.namespace ?? connection.namespace,
    instance: options.env['HOSTNAME'] ?? `local-${randomBytes(4).toString('hex')}`,
    pod: options.env['SOTTO_POD_NAME'],
    version: options.version,
    settingsFile: options.configFile === undefined ? undefined : resolve(options.cwd, options.configFile),
    allowSources: options.allowedSources,
    takeOver: options.takeOver,
    workDir,
    transport,
    clock: systemClock,
    random: Math.random,
    log,
    metrics,
  });
  let listener: Listener | undefined;
  try {
    listener = options.once ? undefined : await listen(options, agent, log);
    await startWithPatience(agent, options, log);
    if (options.once) return await agent.once(options.signal);
    await agent.run(options.signal);
    return { isReady: true, problems: [] };
  } finally {
    await agent.close();
    await listener?.close();
    transport.close();
    await rm(workDir, { recursive: true, force: true });
  }
}

async function listen(options: AgentOptions, agent: Agent, log: Logger): Promise<Listener | undefined> {
  if (options.listen === '') return undefined;
  const address = parseListenAddress(options.listen);
  const listener = await startListener(agent.probes(), address, (error) => log.error('defect in a probe', { error }));
  log.info('listening', { host: listener.host, port: listener.port });
  return listener;
}

/** The agent waits for an API server that is away; what a person must mend ends it, and `--once` waits for nothing. */
async function startWithPatience(agent: Agent, options: AgentOptions, log: Logger): Promise<void> {
  for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, MAX_RETRY_MS)) {
    try {
      return await agent.start();
    } catch (thrown) {
      if (options.once || !(thrown instanceof SottoError) || !WORTH_WAITING.has(thrown.code)) throw thrown;
      log.warn('not started yet', { code: thrown.code, error: thrown, retryInMs: waitMs });
      await sleep(waitMs, undefined, { signal: options.signal }).catch(() => undefined);
      if (options.signal.aborted) return;
    }
  }
}

const WORTH_WAITING: ReadonlySet<string> = new Set([
  'SOTTO-CONF-012',
  'SOTTO-KUBE-001',
  'SOTTO-KUBE-003',
  'SOTTO-KUBE-015',
  'SOTTO-KUBE-016',
  'SOTTO-PLAN-010',
]);

/** Git objects (ciphertext) and, for moments, the credential of the source: on memory where there is some. */
async function makeWorkDir(env: AgentOptions['env']): Promise<string> {
  const chosen = env['SOTTO_WORK_DIR'];
  if (chosen !== undefined) return mkdtemp(join(chosen, 'sotto-'));
  const memory = await stat('/dev/shm').then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  return mkdtemp(join(memory ? '/dev/shm' : tmpdir(), 'sotto-'));
}
