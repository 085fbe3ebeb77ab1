import { type ErrorPlace, SottoError } from '../core/errors.ts';
import type { ParseLimits } from './limits.ts';

export function tooDeep(limits: ParseLimits, place: ErrorPlace): SottoError {
  return new SottoError({
    code: 'SOTTO-YAML-003',
    what: 'the document is nested too deeply',
    why: `more than ${limits.maxDepth} levels are refused`,
    next: 'flatten the document',
    ...place,
  });
}

export function tooManyDocuments(limits: ParseLimits, place: ErrorPlace): SottoError {
  return new SottoError({
    code: 'SOTTO-YAML-004',
    what: 'the file has too many documents',
    why: `more than ${limits.maxDocumentsPerFile} documents in one file are refused`,
    next: 'split the file',
    ...place,
  });
}

export function tooManyNodes(why: string, place: ErrorPlace): SottoError {
  return new SottoError({
    code: 'SOTTO-YAML-005',
    what: 'the document has too many nodes',
    why,
    next: 'split the document',
    ...place,
  });
}

export function tooManyAliases(limits: ParseLimits, place: ErrorPlace): SottoError {
  return new SottoError({
    code: 'SOTTO-YAML-006',
    what: 'the document has too many aliases',
    why: `more than ${limits.maxAliasesPerDocument} aliases in one document are refused`,
    next: 'write the values out',
    ...place,
  });
}

export function aliasesTooLarge(limits: ParseLimits, place: ErrorPlace): SottoError {
  const { maxAliasedCharactersPerFile: characters, maxAliasedNodesPerFile: nodes } = limits;
  return new SottoError({
    code: 'SOTTO-YAML-014',
    what: 'the aliases of the file stand for too much',
    why: `in one file they may stand for ${characters} characters and ${nodes} nodes, each counted where its alias stands`,
    next: 'write the values out where they are needed, or split the file',
    ...place,
  });
}

export function unknownAlias(why: string, place: ErrorPlace): SottoError {
  return new SottoError({
    code: 'SOTTO-YAML-007',
    what: 'an alias names no anchor before it',
    why,
    next: 'define the anchor (&name) earlier in the same document, or write the value out',
    ...place,
  });
}

export function badTag(tag: string, place: ErrorPlace): SottoError {
  return new SottoError({
    code: 'SOTTO-YAML-011',
    what: `a value does not fit its tag !!${tag}`,
    why: `the text after !!${tag} is not of that type`,
    next: 'correct the value or remove the tag',
    ...place,
  });
}
