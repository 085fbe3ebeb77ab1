import type { EncryptedDocuments } from '../../authoring/rotation/documents.ts';
import { RECEIPT_FILE } from '../../authoring/rotation/receipt.ts';
import type { Code } from '../../core/codes.ts';
import { SottoError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { parseBranch, parseGitUrl } from '../../git/address.ts';
import type { CommitId } from '../../git/output.ts';
import { GitRepository } from '../../git/repository.ts';
import { commitBare } from '../../git/write-branch.ts';
import { ROTATION_ANNOTATION } from '../../keys/marks.ts';
import { rotationText } from '../../keys/rotation-mark.ts';
import type { RotateRequest } from '../../plan/request.ts';
import type { Answer } from '../../report/status.ts';
import type { SealingKey } from '../../sealed/sealing-key.ts';
import type { SyncRuntime } from '../sync-runtime.ts';
import { doneAlready, messageOf, planText, type Pushed, pushedText } from './answers.ts';
import { checkBranch, checkFree, defaultBranch, publish, pushedBefore } from './branch.ts';
import { followExposed } from './follow-exposed.ts';
import { type AgentKeys, type HeldKey, type Intent, intentOf, nothingToDo, withKey } from './goal.ts';
import {
  activeSealing,
  annotate,
  checkSealing,
  newAgeKey,
  newSealingKey,
  secretOfSealing,
  sealingInCourse,
  storeAgeKey,
} from './new-key.ts';
import { checkHeld, checkSealedOpen, checkSyncs, encryptSops, identitiesOf, sealAnew } from './prepare.ts';
import { receiptOf } from './receipt.ts';
import { readRepository } from './read-repository.ts';
import type { RotationWork } from './site.ts';

/** For one git command, as for a sync. */
const GIT_TIMEOUT_MS = 120_000;
/** How often everything is read again because somebody pushed meanwhile. */
const MOST_TRIES = 5;

/**
 * A rotation by the agent. Without a plan it only shows one; with the plan that a person has seen it makes the key,
 * encrypts everything in memory and pushes one commit as a new branch. Each step finds what is done already, so that
 * the next agent goes on where this one was stopped. Throws SottoError.
 */
export async function rotateKeys(
  site: Omit<RotationWork, 'repository' | 'request' | 'sync'>,
  request: RotateRequest,
  sync: SyncRuntime,
): Promise<Answer> {
  const { agent, keys } = site;
  const { git } = sync.settings.source;
  await keys.writer(git.url);
  checkBranch(agent.settings(), git.url, request.branch);
  if (request.keys !== 'sealing') checkSyncs(agent.settings(), git.url);
  if (request.keys !== 'age') checkSealing(agent.settings().sealing);
  await using repository = await GitRepository.open({
    url: parseGitUrl(git.url),
    branch: parseBranch(git.branch),
    workDir: site.workDir,
    timeoutMs: GIT_TIMEOUT_MS,
    access: () => keys.access(sync.settings),
    signal: agent.signal,
    maxFetchBytes: LIMITS.maxRotationFetchBytes,
  });
  const work: RotationWork = { ...site, repository, request, sync };
  for (let tries = 1; ; tries += 1) {
    const head = await repository.head();
    const documents = await readRepository(repository, head, agent.signal);
    const intent = intentOf(documents, await keysHere(work, documents), request, agent.settings());
    if (request.plan === undefined) return { outcome: 'done', message: planText(intent, documents, head) };
    if (!intent.idsBefore.includes(request.plan)) throw otherPlan(request.plan, intent.id);
    const before = await pushedBefore(work, intent);
    if (before !== undefined) {
      await followExposed(work, intent);
      return { outcome: 'done', message: doneAlready(before, git.branch) };
    }
    const pushed = await carryOut(work, head, documents, intent, tries === MOST_TRIES);
    if (pushed !== 'moved') return { outcome: 'done', message: pushedText(pushed) };
  }
}

async function keysHere(work: RotationWork, documents: EncryptedDocuments): Promise<AgentKeys> {
  const { agent, keys, request } = work;
  return {
    identities: identitiesOf(work),
    secrets: keys.secrets(),
    sealing: request.keys === 'age' ? undefined : await sealingInCourse(work, documents),
    inUse: activeSealing(work)[0],
    fingerprint: agent.fingerprint.current,
  };
}

/**
 * Nothing is made before every file was opened, encrypted and compared: the key is in memory until then. `moved`: so has
 * the branch that is followed, and nothing was pushed.
 */
async function carryOut(
  work: RotationWork,
  head: CommitId,
  documents: EncryptedDocuments,
  shown: Intent,
  isLast: boolean,
): Promise<Pushed | 'moved'> {
  const { agent, repository, request } = work;
  const now = agent.clock.now();
  const old = shown.goal.age?.old;
  using fresh = old === undefined || shown.pending !== undefined ? undefined : newAgeKey(work, old, now);
  const identity = fresh?.identity ?? shown.pending?.identity;
  const intent = identity === undefined ? shown : withKey(shown, documents, identity.recipient);
  const files = await encryptSops(work, intent.plan, identity, now);
  if (shown.goal.seals) await checkSealedOpen(work, intent.plan);
  if (!isLast && (await repository.head()) !== head) return 'moved';
  const named = request.branch ?? (identity && defaultBranch(identity, undefined));
  if (named !== undefined) await checkFree(repository, named);
  // The files of the branch do not name the old key any more once they are merged.
  await followExposed(work, intent);
  const held = fresh === undefined ? shown.pending : await storeAgeKey(work, fresh);
  if (held !== undefined) checkHeld(agent.settings(), work.sync.settings.source.git.url, work.keys, held);
  const sealing = shown.goal.seals
    ? await newSealingKey(work, shown.sealing, new Date(now.getTime() + request.keepOldMs))
    : undefined;
  for (const [path, content] of await sealAnew(work, intent.plan, sealing, now)) files.set(path, content);
  if (files.size === 0) throw nothingToDo();
  const branch = request.branch ?? defaultBranch(identity, sealing);
  await checkFree(repository, branch);
  const made = { parent: head, documents, goal: intent.goal, sealing, files, now };
  const receipt = await receiptOf(work, made);
  const commit = await commitBare(repository, {
    parent: head,
    files: new Map([...files, [RECEIPT_FILE, receipt]]),
    message: messageOf(intent.goal, files.size, request),
    by: identityIn(agent.place.agentNamespace),
    at: now,
  });
  const { url, branch: base } = work.sync.settings.source.git;
  const mark = { url, branch, commit, files: files.size, keepOldMs: request.keepOldMs };
  const secret = secretOf(work, held, sealing);
  // Before the push: whoever finds the branch finds out that it is ours.
  await annotate(work, secret, { [ROTATION_ANNOTATION]: rotationText(mark) });
  await publish(work, branch, commit).catch(async (thrown: unknown) => {
    // What is certainly not there is not to be looked for; where that is not known the mark stays.
    if (thrown instanceof SottoError && NOT_PUSHED.includes(thrown.code))
      await annotate(work, secret, { [ROTATION_ANNOTATION]: null }).catch(() => undefined);
    throw thrown;
  });
  agent.log.info('a rotation was pushed', { branch, commit, files: files.size });
  return { ...mark, secret, recipient: identity?.recipient, base };
}

const NOT_PUSHED: readonly Code[] = ['SOTTO-ROTATE-022', 'SOTTO-ROTATE-024'];

function secretOf(work: RotationWork, held: HeldKey | undefined, sealing: SealingKey | undefined): string {
  return held?.secret.mark.name ?? secretOfSealing(work, sealing);
}

/** `.invalid` is nobody's mail by RFC 2606. */
function identityIn(namespace: string): { readonly name: string; readonly email: string } {
  return { name: `sotto in ${namespace}`, email: `sotto@${namespace}.invalid` };
}

function otherPlan(asked: string, now: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-027',
    what: 'nothing was changed, because the rotation is another one than was shown',
    why: `plan ${JSON.stringify(asked.slice(0, LIMITS.maxPlanIdLength))} was said yes to, and it is ${now} now`,
    next: 'sotto rotate --in-cluster --plan, then the same command again',
  });
}
