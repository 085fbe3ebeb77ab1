import { asSottoError, SottoError } from '../core/errors.ts';
import { shellWord } from '../core/shell-word.ts';
import { checkCredentialUse } from './credentials.ts';
import { markOf, type SecretMark } from './key-secret.ts';
import { FOR_ANNOTATION, STOCK_SEALING_LABEL, USE_LABEL } from './marks.ts';

export interface WriteRequest {
  readonly sourceUrl: string;
  /** The agent's, for the commands in errors. */
  readonly namespace: string;
}

/**
 * The one Secret that a branch may be pushed with: labelled for writing, and for this source by its own annotation.
 * `--allow-source` does not count, and the Secret that the sync reads with never does. Throws SOTTO-ROTATE-020, -021.
 */
export function writeSecret<Mark extends SecretMark>(secrets: readonly Mark[], request: WriteRequest): Mark {
  const rules = { ...request, use: 'git-write' as const, allowSources: [] };
  const refusals: { secret: string; error: SottoError }[] = [];
  const usable = secrets.filter((secret) => {
    if (markOf(secret.labels, USE_LABEL) !== 'git-write' || markOf(secret.labels, STOCK_SEALING_LABEL) !== undefined)
      return false;
    try {
      checkCredentialUse(secret, rules);
      return true;
    } catch (thrown) {
      refusals.push({ secret: secret.name, error: asSottoError(thrown) });
      return false;
    }
  });
  const [only, ...others] = usable;
  if (only === undefined) throw noneToWrite(refusals, request);
  if (others.length > 0) throw several(usable, request);
  return only;
}

function noneToWrite(
  refusals: readonly { readonly secret: string; readonly error: SottoError }[],
  { sourceUrl, namespace }: WriteRequest,
): SottoError {
  const [first] = refusals;
  const inNamespace = `-n ${shellWord(namespace)}`;
  const annotate = (name: string, overwrite: string): string =>
    `kubectl annotate secret ${name} ${inNamespace}${overwrite} ${FOR_ANNOTATION}=${shellWord(sourceUrl)}`;
  const next =
    first === undefined
      ? `kubectl create secret generic git-push ${inNamespace} --from-literal=username=USER --from-file=password=FILE && kubectl label secret git-push ${inNamespace} ${USE_LABEL}=git-write && ${annotate('git-push', '')}`
      : annotate(shellWord(first.secret), ' --overwrite');
  return new SottoError({
    code: 'SOTTO-ROTATE-020',
    what: `the agent has no credential to push to ${sourceUrl} with`,
    why:
      first === undefined
        ? `no Secret of namespace ${namespace} has the label ${USE_LABEL}=git-write; one for reading is never pushed with`
        : `Secret ${first.secret} is for writing, but ${first.error.why}`,
    next,
  });
}

function several(usable: readonly SecretMark[], { sourceUrl, namespace }: WriteRequest): SottoError {
  const names = usable.map(({ name }) => name).toSorted();
  return new SottoError({
    code: 'SOTTO-ROTATE-021',
    what: `more than one credential could push to ${sourceUrl}`,
    why: `Secrets ${names.join(' and ')} are all for it`,
    next: `kubectl annotate secret ${shellWord(names[0] ?? '')} -n ${shellWord(namespace)} ${FOR_ANNOTATION}-   (and so on, until one is left)`,
  });
}
