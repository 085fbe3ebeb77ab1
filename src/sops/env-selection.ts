import { CommentRuns } from './comment-runs.ts';
import type { Selects } from './selector.ts';

/** A variable, or a comment, which has no key. */
interface NamedLine {
  readonly key: string | undefined;
  readonly text: string;
}

/** For each line of a dotenv file whether the selector wants it encrypted; empty values and comments never are. */
export function envSelection(lines: readonly NamedLine[], selects: Selects): boolean[] {
  if (selects.by === 'key') return lines.map(({ key }) => selects.encrypts(key === undefined ? [] : [key]));
  const runs = new CommentRuns(selects);
  runs.enter();
  return lines.map(({ key, text }) => {
    if (key === undefined) return runs.encryptsComment(text);
    const isEncrypted = runs.encryptsValue;
    runs.entryEnds();
    return isEncrypted;
  });
}
