import { type Tool, TOOLS } from '../apply/former-owner.ts';
import { asSottoError, SottoError } from '../core/errors.ts';
import { displayObject, type ObjectKey, objectIdOf, objectKey, shortRevision } from '../core/ids.ts';
import { LIMITS } from '../core/limits.ts';
import type { Held } from '../plan/hold.ts';
import type { PauseTarget } from '../plan/pause.ts';
import { parseRequest, type Request } from '../plan/request.ts';
import type { Answer } from '../report/status.ts';
import { isAtRest } from './at-rest.ts';
import { answerCanary } from './canary.ts';
import { changeFingerprint, showFingerprintPlan } from './change-fingerprint.ts';
import type { AgentContext } from './context.ts';
import { acceptExposed, expose } from './exposure/expose.ts';
import { adoptOrphans, pruneOrphans } from './orphans.ts';
import { pause, resume } from './pausing.ts';
import { rehearsed } from './rehearsed.ts';
import { viewSync } from './status-view.ts';
import type { SyncRuntime } from './sync-runtime.ts';

/** Does what one request asks for and says what came of it. A request that cannot be done is an answer, not an error. */
export async function answerRequest(agent: AgentContext, text: string): Promise<Answer> {
  try {
    const { targetNamespace } = agent.place;
    const request = parseRequest(text, { targetNamespace, now: agent.clock.now() });
    agent.log.info('request', { request: request.kind, by: request.by, reason: request.reason });
    return await carryOutRequest(agent, request);
  } catch (thrown) {
    const error = asSottoError(thrown);
    agent.log.warn('a request was refused', { code: error.code, error });
    return { outcome: isRefusal(error) ? 'refused' : 'failed', message: error.text() };
  }
}

/** Nothing was tried, or nothing was found that could be done. */
function isRefusal({ code }: SottoError): boolean {
  return code.startsWith('SOTTO-PLAN-') || (code.startsWith('SOTTO-ROTATE-') && code !== 'SOTTO-ROTATE-024');
}

function carryOutRequest(agent: AgentContext, request: Request): Promise<Answer> {
  switch (request.kind) {
    case 'sync':
      return syncNow(agent, request.sync);
    case 'pause':
      return pause(agent, known(agent, request.target), request);
    case 'resume':
      return resume(agent, request.target);
    case 'approve':
      return approve(agent, request);
    case 'prune':
      return pruneOrphans(agent, request.plan);
    case 'fingerprint':
      return request.plan === undefined ? showFingerprintPlan(agent) : changeFingerprint(agent, request.plan);
    case 'canary':
      return answerCanary(agent, request);
    case 'expose':
      return expose(agent, request);
    case 'accept':
      return acceptExposed(agent, request);
    case 'rotate':
      return agent.rotate(request, oneSync(agent, request.sync));
    case 'rehearsed':
      return rehearsed(agent, request);
    case 'adopt-orphans':
      return adoptOrphans(agent, request.plan, oneSync(agent, request.sync).settings.name);
    case 'adopt':
    default:
      return adopt(agent, known(agent, request.target), toolOf(request.from));
  }
}

async function syncNow(agent: AgentContext, name: string | undefined): Promise<Answer> {
  const syncs = name === undefined ? [...agent.syncs.values()] : [syncNamed(agent, name)];
  const awake = syncs.filter((sync) => !isAtRest(agent, sync));
  const [first] = syncs;
  if (awake.length === 0 && first !== undefined) throw atRest(first);
  await Promise.all(awake.map((sync) => agent.ask(sync.settings.name)));
  return {
    outcome: awake.some((sync) => sync.trouble !== undefined || sync.report?.retry === true) ? 'failed' : 'done',
    message: awake.map((sync) => passText(agent, sync)).join('; '),
  };
}

function passText(agent: AgentContext, sync: SyncRuntime): string {
  const { name, state, message } = viewSync(agent, sync);
  const revision = sync.report?.attemptedRevision;
  const what = revision === undefined ? '' : ` at ${shortRevision(revision)}`;
  return `${name}${what}: ${state}, ${message}`;
}

/** The yes is stored first: a kill in the middle of the plan goes on with it. */
async function approve(
  agent: AgentContext,
  { plan: planId, sync: name }: Extract<Request, { kind: 'approve' }>,
): Promise<Answer> {
  const syncs = name === undefined ? [...agent.syncs.values()] : [syncNamed(agent, name)];
  const sync = syncs.find(({ report }) => pendingOf(report).some((held) => held.planId === planId));
  const revision = sync?.report?.attemptedRevision;
  const held = pendingOf(sync?.report).find((each) => each.planId === planId);
  if (sync === undefined || revision === undefined || held === undefined) throw notPending(agent, planId);
  if (isAtRest(agent, sync)) throw atRest(sync);
  const of = sync.settings.name;
  const before = agent.inventory.inventory.approvals[of];
  const others = before?.revision === revision ? before.pruned : [];
  agent.inventory.setApproval(of, { planId, revision, pruned: [...others, ...held.pruned] });
  await agent.inventory.store();
  await agent.ask(of);
  const { report } = sync;
  if (report?.attemptedRevision !== revision) throw notPending(agent, planId);
  if (pendingOf(report).some((each) => each.planId === planId)) throw notPending(agent, planId);
  const isWhole = !report.retry && report.waiting.every(({ row }) => !held.pruned.includes(row.key));
  return { outcome: isWhole ? 'done' : 'failed', message: `${report.pruned} pruned; ${passText(agent, sync)}` };
}

function pendingOf(report: SyncRuntime['report']): Held[] {
  return [report?.held, report?.asked].filter((plan) => plan !== undefined);
}

/** Objects that exist and differ: taken over as they are, with the fields that Git has. */
async function adopt(agent: AgentContext, target: PauseTarget, from: Tool | undefined): Promise<Answer> {
  const found = [...agent.syncs.values()].flatMap((sync) => heldBack(sync, target, from).map((key) => ({ sync, key })));
  const [first] = found;
  if (first === undefined) throw notAdoptable(agent, target);
  for (const { sync, key } of found) sync.adopting.set(key, from);
  const syncs = new Set(found.map(({ sync }) => sync));
  try {
    await Promise.all([...syncs].map((sync) => agent.ask(sync.settings.name)));
  } finally {
    for (const { sync, key } of found) sync.adopting.delete(key);
  }
  const left = found.filter(({ key }) => (agent.inventory.row(key)?.uid ?? '') === '');
  const names = (left.length === 0 ? found : left).map(({ key }) => displayObject(objectIdOf(key))).join(', ');
  if (left.length === 0) return { outcome: 'done', message: `taken over: ${names}` };
  return { outcome: 'failed', message: `not taken over: ${names}; ${passText(agent, first.sync)}` };
}

function toolOf(name: string | undefined): Tool | undefined {
  if (name === undefined) return undefined;
  const tool = TOOLS.find((each) => each === name);
  if (tool !== undefined) return tool;
  throw unknown(`no tool is called ${JSON.stringify(name.slice(0, 40))}`, `known are: ${TOOLS.join(', ')}`);
}

function heldBack(sync: SyncRuntime, target: PauseTarget, from: Tool | undefined): ObjectKey[] {
  if (target.kind === 'sync' && target.name !== sync.settings.name) return [];
  const held = (sync.report?.refusals ?? []).flatMap(({ error, id }) =>
    id !== undefined && isAdoptable(error, from) ? [objectKey(id)] : [],
  );
  return target.kind === 'sync' ? held : held.filter((key) => key === target.key);
}

/** What belongs to nobody, or, where a tool is named, to another one: whose it is, is looked at when it is taken over. */
function isAdoptable(error: SottoError, from: Tool | undefined): boolean {
  if (error.code === 'SOTTO-PLAN-001') return from === undefined || from === 'kubectl';
  return error.code === 'SOTTO-PLAN-006' && from !== undefined;
}

function oneSync(agent: AgentContext, name: string | undefined): SyncRuntime {
  const [first, ...more] = agent.syncs.values();
  if (name !== undefined || first === undefined) return syncNamed(agent, name ?? '');
  if (more.length === 0) return first;
  throw unknown('no sync is named', `there are ${[...agent.syncs.keys()].join(', ')}: name one with --sync`);
}

function syncNamed(agent: AgentContext, name: string): SyncRuntime {
  const sync = agent.syncs.get(name);
  if (sync !== undefined) return sync;
  const names = [...agent.syncs.keys()].join(', ');
  throw unknown(`there is no sync ${JSON.stringify(name)}`, `the settings have: ${names}`);
}

/** A slip in a name must not pause nothing and say it did. */
function known(agent: AgentContext, target: PauseTarget): PauseTarget {
  if (target.kind === 'sync') {
    syncNamed(agent, target.name);
    return target;
  }
  const { key } = target;
  const isKnown =
    agent.inventory.row(key) !== undefined || [...agent.syncs.values()].some((sync) => sync.wanted.has(key));
  if (isKnown) return target;
  throw unknown(
    `${displayObject(objectIdOf(key))} is not an object of this agent`,
    'no sync has it in its path or has applied it',
  );
}

function unknown(what: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-041',
    what,
    why,
    next: 'sotto status   (kinds are written apps/Deployment/web)',
  });
}

function atRest({ settings }: SyncRuntime): SottoError {
  const { name, suspend } = settings;
  return new SottoError({
    code: 'SOTTO-PLAN-045',
    what: `sync ${name} makes no pass`,
    why: suspend ? 'the settings suspend it' : 'it is paused',
    next: suspend ? `set suspend: false for ${name}` : `sotto resume --sync ${name}`,
  });
}

function notPending(agent: AgentContext, planId: string): SottoError {
  const pending = [...agent.syncs.values()].flatMap(({ report }) => pendingOf(report).map((held) => held.planId));
  return new SottoError({
    code: 'SOTTO-PLAN-042',
    what: `plan ${JSON.stringify(planId.slice(0, LIMITS.maxPlanIdLength))} is not pending`,
    why:
      pending.length === 0
        ? 'no plan waits for a yes'
        : `a commit, the settings or a pass has made it another one; pending now: ${pending.join(', ')}`,
    next: 'sotto status   (shows what a plan would do)',
  });
}

function notAdoptable(agent: AgentContext, target: PauseTarget): SottoError {
  const key = target.kind === 'object' ? target.key : undefined;
  const refusals = [...agent.syncs.values()].flatMap(({ report }) => report?.refusals ?? []);
  const refusal = refusals.find(({ id }) => id !== undefined && objectKey(id) === key);
  const isOurs = key !== undefined && (agent.inventory.row(key)?.uid ?? '') !== '';
  return new SottoError({
    code: 'SOTTO-PLAN-044',
    what: 'there is nothing to take over',
    why: isOurs
      ? 'sotto applies the object already'
      : ((refusal && `${refusal.error.code}: ${refusal.error.what}: ${refusal.error.why}`) ??
        'no object of it waits for that (SOTTO-PLAN-001)'),
    next: 'sotto status',
    object: key && displayObject(objectIdOf(key)),
  });
}
