import { SottoError } from '../../core/errors.ts';
import { shellWord } from '../../core/shell-word.ts';
import { type BranchName, parseBranch } from '../../git/address.ts';
import type { CommitId } from '../../git/output.ts';
import type { GitRepository } from '../../git/repository.ts';
import { publishBranch } from '../../git/write-branch.ts';
import { type RotationMark, rotationMark } from '../../keys/rotation-mark.ts';
import type { SealingKey } from '../../sealed/sealing-key.ts';
import type { AgeIdentity } from '../../sops/age.ts';
import type { Settings } from '../../settings/settings.ts';
import type { Intent } from './goal.ts';
import type { RotationWork } from './site.ts';

/** The same for the same key, so that an interrupted rotation finds its branch again. */
export function defaultBranch(identity: AgeIdentity | undefined, sealing: SealingKey | undefined): BranchName {
  return parseBranch(`sotto-rotate-${identity?.recipient.slice(4, 14) ?? sealing?.fingerprint.slice(0, 10) ?? ''}`);
}

/** No branch that is followed is ever pushed to. Throws SOTTO-ROTATE-023. */
export function checkBranch({ syncs }: Settings, url: string, branch: BranchName | undefined): void {
  const follower = syncs.find(({ source }) => source.git.url === url && source.git.branch === branch);
  if (follower === undefined) return;
  throw new SottoError({
    code: 'SOTTO-ROTATE-023',
    what: `the rotation is not pushed to ${follower.source.git.branch}`,
    why: `sync ${follower.name} follows that branch, and a rotation is for people to merge`,
    next: 'name a new branch with --branch, or none',
  });
}

/** The branch that this rotation has pushed before it was stopped, if it is there and holds exactly that. */
export async function pushedBefore(
  work: RotationWork,
  { pending, sealing }: Intent,
): Promise<RotationMark | undefined> {
  const { keys, repository, request, sync } = work;
  const inCourse = keys.secrets().find(({ mark: { name } }) => name === sealing?.secret);
  const secret = request.keys === 'sealing' ? inCourse : pending?.secret;
  const mark = secret && rotationMark(secret.mark);
  if (mark === undefined || mark.url !== sync.settings.source.git.url) return undefined;
  if (request.branch !== undefined && request.branch !== mark.branch) return undefined;
  const tip = await repository.branchHead(parseBranch(mark.branch));
  return tip === mark.commit ? mark : undefined;
}

/** Throws SOTTO-ROTATE-022. */
export async function checkFree(repository: GitRepository, branch: BranchName): Promise<void> {
  const tip = await repository.branchHead(branch);
  if (tip !== undefined) throw taken(branch, tip);
}

/** Throws SOTTO-ROTATE-022 and -024. What came through although its answer was lost counts as pushed. */
export async function publish(work: RotationWork, branch: BranchName, commit: CommitId): Promise<void> {
  const { keys, repository, sync } = work;
  const { url } = sync.settings.source.git;
  const end = await keys.withWriteAccess(url, (access) => publishBranch(repository, branch, commit, access));
  if (end.kind === 'pushed') return;
  const tip = await repository.branchHead(branch);
  if (tip === commit) return;
  if (tip !== undefined) throw taken(branch, tip);
  const why = end.kind === 'refused' ? end.why : 'the server says that the branch is there, and it is not';
  throw new SottoError({
    code: 'SOTTO-ROTATE-024',
    what: `branch ${branch} was not pushed to ${url}`,
    why,
    next: 'mend that, then the same command again: the key that was made is taken',
  });
}

function taken(branch: BranchName, tip: CommitId): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-022',
    what: `nothing was pushed, because there is a branch ${branch} already`,
    why: `it is at ${tip.slice(0, 12)}, which this rotation has not pushed`,
    next: `choose another name with --branch, or remove it if it is not needed: git push origin --delete ${shellWord(branch)}`,
  });
}
