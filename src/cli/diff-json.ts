import type { Differences, Preview, Previewed, Stands } from '../agent/preview/previewed.ts';
import type { SottoError } from '../core/errors.ts';
import { type Json, type JsonObject, stringifyJson } from '../core/json.ts';

export const DIFF_SCHEMA = 'sotto.dev/diff/v1alpha1';

/** The same for programs: whole numbers of any size exact, values of Secrets never. */
export function diffJson({
  changes,
  recipients,
  unchanged,
  warnings,
  suspended,
  prunesShown,
  hasKeys,
}: Preview): string {
  const document = {
    schema: DIFF_SCHEMA,
    changes: changes.map(changeJson),
    recipients: (recipients ?? []).map(({ file, added, removed }) => ({
      file,
      added: [...added],
      removed: [...removed],
    })),
    unchanged,
    warnings: warnings.map(errorJson),
    suspended: [...suspended],
    prunesShown,
    hasKeys,
  };
  return `${stringifyJson(document)}\n`;
}

function changeJson(change: Previewed): JsonObject {
  const { kind } = change;
  switch (kind) {
    case 'create':
      return defined({ kind, ...standsJson(change), unopened: change.unopened && errorJson(change.unopened) });
    case 'recreate':
      return { kind, ...standsJson(change), ...differencesJson(change) };
    case 'change':
    case 'unknown': {
      const unopened = change.unopened && errorJson(change.unopened);
      return defined({ kind, ...standsJson(change), ...differencesJson(change), unopened });
    }
    case 'rewritten':
      return { kind, ...standsJson(change), encrypted: change.encrypted };
    case 'prune':
      return { kind, object: change.object, sync: change.sync };
    case 'kept': {
      const { object, sync, why, error } = change;
      return defined({ kind, object, sync, why, error: error && errorJson(error) });
    }
    case 'held': {
      const { sync, creates, prunes, error } = change;
      return { kind, sync, creates, prunes, error: errorJson(error) };
    }
    case 'refused':
      break;
  }
  return { kind, error: errorJson(change.error), ...differencesJson(change) };
}

function standsJson({ object, file, line }: Stands): JsonObject {
  return { object, file, line };
}

function differencesJson({ fields, keys }: Differences): JsonObject {
  return {
    fields: fields.map(({ path, before, after }) => defined({ path, before, after })),
    keys: keys.map(({ key, change }) => ({ key, change })),
  };
}

function errorJson(error: SottoError): JsonObject {
  const { code, message, next, file, line, key, object } = error.toJSON();
  return defined({ code, message, file, line, key, object, next });
}

/** Without what is undefined, which JSON has no word for. */
function defined(members: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(
    Object.entries(members).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}
