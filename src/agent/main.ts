import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../core/clock.ts';
import { SottoError } from '../core/errors.ts';
import { loadConnection } from '../kube/connection.ts';
import { Transport } from '../kube/transport.ts';
import { createLogger, type Logger } from '../report/log.ts';
import { createMetrics } from '../report/metrics.ts';
import { Agent } from './agent.ts';
import type { AgentEnd, AgentOptions } from './options.ts';
import { overwritesFreedMemory } from './freed-memory.ts';
import { openRenderer } from './renderer.ts';
import type { AgentSetup } from './setup.ts';
import type { ProbeView } from './serve/probes.ts';
import { keptStatus } from './serve/kept-status.ts';
import type { Listener } from './serve/listener.ts';
import { PageListener } from './serve/page-listener.ts';
import { startProbes } from './serve/probe-listener.ts';

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
/** For the writes in hand and for each of the last ones; the grace period of a Pod is 30 s. */
const LAST_WRITES_MS = 5_000;

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
  if (!overwritesFreedMemory(options.env)) {
    log.warn('freed memory is not overwritten: GLIBC_TUNABLES does not say so', { next: 'docs/runtime.md' });
  }
  const transport = new Transport(connection, {
    clock: systemClock,
    userAgent: `sotto/${options.version}`,
    onRequest: ({ verb, resource, status }) =>
      metrics.apiRequest({ verb, resource, code: status === 0 ? 'none' : status }),
  });
  options.signal.addEventListener('abort', () => transport.hurry(LAST_WRITES_MS), { once: true });
  const workDir = await makeWorkDir(options.env);
  // Also when somebody does not wait for a clean end: a credential lies in it for moments.
  const removeWorkDir = (): void => rmSync(workDir, { recursive: true, force: true });
  process.once('exit', removeWorkDir);
  const renderer = await openRenderer({
    address: options.renderer,
    tokenFile: options.rendererToken,
    searchPath: options.env['PATH'],
    workRoot: dirname(workDir),
    signal: options.signal,
    log,
    onChange: () => current.changed(),
  });
  const setup: AgentSetup = {
    renderer,
    agentNamespace: options.namespace ?? connection.namespace,
    instance: options.env['HOSTNAME'] ?? `local-${randomBytes(4).toString('hex')}`,
    pod: podName(options),
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
    onSettings: ({ pageListen }) => (options.once ? undefined : page.follow(pageListen)),
  };
  const page = new PageListener(
    { status: keptStatus(() => current.status(), systemClock), undone: () => current.undone() },
    log,
  );
  let current = new Agent(setup);
  const begin = async (): Promise<void> => {
    await current.close();
    current = new Agent(setup);
  };
  let listener: Listener | undefined;
  try {
    listener = options.once ? undefined : await listen(options, () => current.probes(), log);
    for (;;) {
      await startWithPatience(() => current, begin, options, log);
      if (options.once) return await current.once(options.signal);
      if ((await current.run(options.signal)) === 'ended') return { isReady: true, problems: [] };
      await begin();
    }
  } finally {
    await current.close();
    await Promise.all([listener?.close(), page.close()]);
    transport.close();
    await renderer.close();
    await rm(workDir, { recursive: true, force: true });
    process.off('exit', removeWorkDir);
  }
}

/** In a Pod the host name is the Pod's; `SOTTO_POD_NAME` says it where it is not (hostNetwork). */
function podName({ env, kubeconfig }: AgentOptions): string | undefined {
  const isInPod = env['KUBERNETES_SERVICE_HOST'] !== undefined && kubeconfig === undefined;
  return env['SOTTO_POD_NAME'] ?? (isInPod ? env['HOSTNAME'] : undefined);
}

async function listen(options: AgentOptions, probes: () => ProbeView, log: Logger): Promise<Listener | undefined> {
  const listener = await startProbes(options.listen, delegated(probes), (error) =>
    log.error('defect in a probe', { error }),
  );
  if (listener !== undefined) log.info('listening', { host: listener.host, port: listener.port });
  return listener;
}

/** The listener outlives an agent that begins anew: it always asks the one that runs. */
function delegated(probes: () => ProbeView): ProbeView {
  return {
    healthy: () => probes().healthy(),
    ready: () => probes().ready(),
    metrics: () => probes().metrics(),
    certificate: () => probes().certificate(),
  };
}

/** The agent waits for an API server that is away; what a person must mend ends it, and `--once` waits for nothing. */
async function startWithPatience(
  agent: () => Agent,
  begin: () => Promise<void>,
  options: AgentOptions,
  log: Logger,
): Promise<void> {
  for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, MAX_RETRY_MS)) {
    try {
      return await agent().start(options.signal);
    } catch (thrown) {
      // What was asked for when the signal came was given up: that is no failure.
      if (options.signal.aborted && !options.once && thrown instanceof SottoError) return;
      if (options.once || !(thrown instanceof SottoError) || !WORTH_WAITING.has(thrown.code)) throw thrown;
      log.warn('not started yet', { code: thrown.code, error: thrown, retryInMs: waitMs });
      await sleep(waitMs, undefined, { signal: options.signal }).catch(() => undefined);
      if (options.signal.aborted) return;
      // What a half start left behind (streams, timers) goes with its agent.
      await begin();
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
