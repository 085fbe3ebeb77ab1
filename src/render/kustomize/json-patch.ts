import { isJsonObject, type Json } from '../../core/json.ts';
import type { SottoError } from '../../core/errors.ts';
import type { ReadDocument } from './documents.ts';
import type { PatchTarget } from './findings.ts';
import { testsSecret } from './refusals.ts';
import type { Place } from './scan-result.ts';
import { mayBe } from './secret-flow.ts';

/**
 * JSON6902 operations that compare a value of a Secret: kustomize would compare a token. `place` is where the patch
 * stands; lines inside of it are told where the document knows them.
 */
export function secretTests(document: ReadDocument, target: PatchTarget | undefined, place: Place): SottoError[] {
  if (!Array.isArray(document.value) || !mayBe(target?.kind, 'Secret')) return [];
  return document.value.flatMap((operation: Json, index) =>
    isSecretTest(operation) ? [testsSecret({ ...place, line: document.lineAt([String(index)]) ?? place.line })] : [],
  );
}

function isSecretTest(operation: Json): boolean {
  if (!isJsonObject(operation) || operation['op'] !== 'test') return false;
  const { path } = operation;
  return typeof path === 'string' && /^(?:$|\/(?:data|stringData)(?:\/|$))/.test(path);
}
