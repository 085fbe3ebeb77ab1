import { type Coverage, type CoveredFile, differences } from '../../authoring/coverage.ts';
import type { PolicyFile } from './coverage.ts';

/** One way in which a file is not as .sops.yaml says. */
export interface PolicyFinding {
  readonly file: string;
  readonly code: string;
  readonly message: string;
}

/** What `recipients check` has to say. Pure. */
export function findingsOf(files: readonly Coverage[], { policy }: PolicyFile): PolicyFinding[] {
  return files.flatMap((file) => {
    const { name } = file.sealed;
    if ('error' in file)
      return [{ file: name, code: file.error.code, message: `${file.error.what}: ${file.error.why}` }];
    if (file.rule === undefined)
      return [{ file: name, code: 'SOTTO-SOPS-019', message: `no creation rule of ${policy.file} matches it` }];
    return differences(file).map((message) => ({ file: name, code: 'SOTTO-CLI-217', message }));
  });
}

/** A line of `recipients list`. */
export interface RecipientRow {
  readonly recipient: string;
  /** Undefined for one that files name and no rule does. */
  readonly rule: number | undefined;
  readonly pathRegex: string;
  /** 1-based, where there are several. */
  readonly group: number | undefined;
  /** Files of the rule that are encrypted for it, and how many there are. */
  readonly files: number;
  readonly of: number;
}

/** Everybody for whom something is encrypted here, or shall be. Pure. */
export function recipientRows(files: readonly Coverage[], { policy }: PolicyFile): RecipientRow[] {
  const covered = files.filter((file): file is CoveredFile => !('error' in file));
  const rows = policy.rules.flatMap((rule) => {
    const own = covered.filter((file) => file.rule?.number === rule.number);
    return rule.groups.flatMap((group, index) =>
      group.map((recipient) => ({
        recipient,
        rule: rule.number,
        pathRegex: rule.pathRegex,
        group: rule.groups.length > 1 ? index + 1 : undefined,
        files: own.filter(({ recipients }) => recipients.groups.some((each) => each.includes(recipient))).length,
        of: own.length,
      })),
    );
  });
  const unnamed = new Map<string, number>();
  for (const { difference, rule, recipients } of covered) {
    const names = rule === undefined ? recipients.groups.flat() : difference.planted;
    for (const name of new Set(names)) unnamed.set(name, (unnamed.get(name) ?? 0) + 1);
  }
  const others = [...unnamed].map(([recipient, count]) => ({
    recipient,
    rule: undefined,
    pathRegex: '',
    group: undefined,
    files: count,
    of: count,
  }));
  return [...rows, ...others];
}
