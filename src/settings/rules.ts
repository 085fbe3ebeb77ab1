import { arrayAt, member, memberAt, stringAt } from '../core/json.ts';
import { parseExpression } from '../expression/parse.ts';
import type { BrokenRule } from './broken-rule.ts';
import { brokenDependencies } from './dependencies.ts';
import type { FieldPath } from './path.ts';

/** Works on the document as written, so that it also finds what it can where other fields are wrong. */
export function brokenRules(document: unknown): BrokenRule[] {
  const syncs = arrayAt(document, 'syncs');
  return [
    ...duplicateNames(syncs),
    ...brokenDependencies(syncs),
    ...syncs.flatMap((sync, index) => [
      ...exactlyOne(memberAt(sync, 'source'), ['git', 'oci', 'folder'], ['syncs', index, 'source']),
      ...exactlyOne(memberAt(sync, 'source', 'git', 'ref'), REFS, ['syncs', index, 'source', 'git', 'ref']),
      ...atMostOne(memberAt(sync, 'render'), ['kustomize', 'helm'], ['syncs', index, 'render']),
      ...variablesFromSecrets(arrayAt(sync, 'postBuild', 'substituteFrom'), ['syncs', index, 'postBuild']),
      ...badExpressions(arrayAt(sync, 'health', 'expressions'), ['syncs', index, 'health', 'expressions']),
      ...credentialsInUrl(stringAt(sync, 'source', 'git', 'url'), ['syncs', index, 'source', 'git', 'url']),
    ]),
  ];
}

const REFS = ['branch', 'tag', 'semver', 'commit', 'name'];

function duplicateNames(syncs: readonly unknown[]): BrokenRule[] {
  const first = new Map<string, number>();
  return syncs.flatMap((sync, index) => {
    const name = stringAt(sync, 'name');
    if (name === undefined) return [];
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, index);
    if (earlier === undefined) return [];
    return [
      {
        code: 'SOTTO-CONF-005' as const,
        path: ['syncs', index, 'name'],
        what: `syncs[${index}] has the name of syncs[${earlier}]`,
        why: 'the name says in inventory, status and requests which sync is meant',
        next: 'give one of them another name',
      },
    ];
  });
}

function exactlyOne(section: unknown, fields: readonly string[], path: FieldPath): BrokenRule[] {
  if (typeof section !== 'object' || section === null || Array.isArray(section)) return [];
  const given = givenOf(section, fields);
  if (given.length > 0) return atMostOne(section, fields, path);
  return [
    {
      code: 'SOTTO-CONF-004',
      path,
      what: `${path.at(-1)} names none of ${fields.join(', ')}`,
      why: 'one of them is needed',
      next: `add ${fields[0]}`,
    },
  ];
}

function atMostOne(section: unknown, fields: readonly string[], path: FieldPath): BrokenRule[] {
  const given = givenOf(section, fields);
  if (given.length < 2) return [];
  return [
    {
      code: 'SOTTO-CONF-006',
      path,
      what: `${path.at(-1)} names ${given.join(' and ')} together`,
      why: 'they exclude each other',
      next: `keep one of ${given.join(', ')}`,
    },
  ];
}

function givenOf(section: unknown, fields: readonly string[]): string[] {
  return fields.filter((field) => {
    const value = member(section, field);
    return value !== undefined && value !== null;
  });
}

/** A variable goes where everybody who reads the object reads it, and never into a value of a Secret. */
function variablesFromSecrets(sources: readonly unknown[], path: FieldPath): BrokenRule[] {
  return sources.flatMap((source, index) => {
    if (stringAt(source, 'kind') !== 'Secret') return [];
    return [
      {
        code: 'SOTTO-RENDER-070' as const,
        path: [...path, 'substituteFrom', index, 'kind'],
        what: 'variables are not taken from a Secret',
        why: 'they are put where everybody who may read the object can read them, and never into a value of a Secret',
        next: 'put what is secret, encrypted, into the Secret that needs it, and the rest into a ConfigMap',
      },
    ];
  });
}

function badExpressions(entries: readonly unknown[], path: FieldPath): BrokenRule[] {
  const kinds = new Map<string, number>();
  return entries.flatMap((entry, index) => {
    const name = `${stringAt(entry, 'group') ?? ''}/${stringAt(entry, 'kind') ?? ''}`;
    const earlier = kinds.get(name);
    kinds.set(name, earlier ?? index);
    return [
      ...(earlier === undefined ? [] : [expressionRule([...path, index], `expressions[${earlier}] has the same kind`)]),
      ...(name === '/Secret'
        ? [expressionRule([...path, index, 'kind'], 'of Secrets only the metadata is read: there is nothing to judge')]
        : []),
      ...['inProgress', 'failed', 'current'].flatMap((field) => {
        const text = stringAt(entry, field);
        if (text === undefined || text.trim() === '') return [];
        const parsed = parseExpression(text);
        return parsed.ok ? [] : [expressionRule([...path, index, field], parsed.why)];
      }),
    ];
  });
}

function expressionRule(path: FieldPath, why: string): BrokenRule {
  return {
    code: 'SOTTO-PLAN-070',
    path,
    what: 'a health expression cannot be used',
    why,
    next: 'write it as docs/health.md says, or remove the entry',
  };
}

// Only `user@` of ssh is a name and no credential.
const URL_WITH_CREDENTIALS = /^(https?:\/\/[^/?#]*@|ssh:\/\/[^/?#@]*:[^/?#]*@)/i;

function credentialsInUrl(url: string | undefined, path: FieldPath): BrokenRule[] {
  if (url === undefined || !URL_WITH_CREDENTIALS.test(url)) return [];
  return [
    {
      code: 'SOTTO-CONF-007',
      path,
      what: 'the URL holds a user or a password',
      why: 'everybody who reads the settings could read it, and the agent prints URLs',
      next: 'put username and password into a Secret, name it in source.git.secretRef, and revoke the one written here',
    },
  ];
}
