import { arrayAt, type Json, stringAt } from '../../core/json.ts';
import type { Checkout } from '../../git/checkout.ts';
import { type BranchLine, namingCommits, type NamingCommits } from '../../git/naming-commits.ts';
import type { CommitId } from '../../git/output.ts';
import { jsonText, table } from '../output.ts';
import { type HeadDocuments, type KeyNeed, needsText } from './needs.ts';

/** The commits of a followed branch that need a key: a revert to one of them could not be applied without it. */
export interface KeyCommits extends NamingCommits {
  readonly branch: string;
}

/** A key as the status tells of it, and who still needs it; undefined where that is not known. */
export interface ListedKey {
  readonly kind: string;
  readonly id: string;
  readonly state: string;
  readonly since: string;
  readonly until: string;
  readonly secret: string;
  readonly origin: string;
  readonly files: readonly KeyNeed[] | undefined;
  readonly commits: readonly KeyCommits[] | undefined;
}

/** The branches that syncs follow, as this clone knows them: of the remote before its own. Pure. */
export function followedHeads(
  status: Json,
  heads: readonly HeadDocuments[],
): { readonly branch: string; readonly commit: CommitId }[] {
  const refs = new Set(arrayAt(status, 'syncs').map((sync) => stringAt(sync, 'source', 'ref') ?? ''));
  return [...refs].flatMap((ref) => {
    const branch = [`origin/${ref}`, ref].find((name) => heads.some(({ branches }) => branches.includes(name)));
    const commit = heads.find(({ branches }) => branches.includes(branch ?? ''))?.commit;
    return branch === undefined || commit === undefined ? [] : [{ branch, commit }];
  });
}

/** As a sops block names it, in any format: a .sops.yaml or a page that names it needs no key. */
export function commitsNaming(
  checkout: Checkout,
  line: BranchLine,
  field: 'recipient' | 'fp',
  id: string,
): Promise<NamingCommits | undefined> {
  return namingCommits(checkout, line, `${field}"?[[:space:]]*[:=][[:space:]]*"?${id.replaceAll(/[^\w ]/g, '[$&]')}`);
}

export function keyListText(keys: readonly ListedKey[], now: Date): string {
  const rows = keys.map(({ kind, state, since, until, secret, origin, id, files, commits }) => [
    kind,
    state,
    ageOf(since, now),
    until || '-',
    secret,
    origin,
    files === undefined ? '?' : needsText(files),
    commits === undefined ? '?' : commits.map(commitsText).join(', ') || 'none',
    id,
  ]);
  return table(['KIND', 'STATE', 'AGE', 'UNTIL', 'SECRET', 'ORIGIN', 'NAMED BY', 'COMMITS', 'KEY'], rows);
}

/** `origin/main 12 to 1a2b3c4d5e6f`: the newest of them; `12+` where older ones were not looked at. */
function commitsText({ branch, count, isWhole, newest }: KeyCommits): string {
  return `${branch} ${count}${isWhole ? '' : '+'} to ${newest.commit.slice(0, 12)}`;
}

const DAY_MS = 86_400_000;

function ageOf(since: string, now: Date): string {
  const days = ageDays(since, now);
  return days === null ? '-' : `${days}d`;
}

function ageDays(since: string, now: Date): number | null {
  const ms = now.getTime() - Date.parse(since);
  return Number.isNaN(ms) ? null : Math.max(0, Math.floor(ms / DAY_MS));
}

export function keyListJson(keys: readonly ListedKey[], now: Date): string {
  const all = keys.map(({ files, commits, ...key }) => ({
    ...key,
    ageDays: ageDays(key.since, now),
    files: files ?? null,
    commits: commits ?? null,
  }));
  return jsonText({ schema: 'sotto.dev/keys/v1alpha1', keys: all });
}
