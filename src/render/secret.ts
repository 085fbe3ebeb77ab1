import { type Closed, type ClosedObject, ComposedRef, isClosedObject, SecretRef, secretRefs } from '../core/closed.ts';
import { SottoError } from '../core/errors.ts';
import { displayObject } from '../core/ids.ts';
import { stringAt } from '../core/json.ts';
import { fileWord } from '../core/shell-word.ts';
import type { ClosedDocument } from '../open/document.ts';
import type { DesiredObject } from './desired.ts';

export type PlaintextRule = 'refuse' | 'warn' | 'allow';

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * A Secret with `stringData` folded into `data` (an applied `stringData` is never pruned, spec/drift.md 1.11) and every
 * entry checked before the API server could quote it back: its answers repeat a value of the wrong type.
 */
export function secretTree(tree: ClosedObject, document: ClosedDocument, plaintext: PlaintextRule): ClosedObject {
  const { data, stringData, ...rest } = tree;
  const stray = secretRefs(rest)[0];
  if (stray !== undefined) throw encryptedField(stray.path, document);
  const folded = {
    ...entries(data, 'data', document),
    ...entries(stringData, 'stringData', document),
  };
  refusePlaintext(folded, document, plaintext);
  return data === undefined && stringData === undefined ? rest : { ...rest, data: folded };
}

function entries(value: Closed | undefined, field: 'data' | 'stringData', document: ClosedDocument): ClosedObject {
  if (value === undefined || value === null) return {};
  if (!isClosedObject(value)) throw wrongType(field, [field], document);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, entry(item, field, key, document)]),
  );
}

/** One entry: a reference with its form, or base64 text of a value that stands in Git in clear. */
function entry(item: Closed, field: 'data' | 'stringData', key: string, document: ClosedDocument): Closed {
  const path = [field, key];
  // Its form was told by the text it stands in.
  if (item instanceof ComposedRef) return item;
  if (item instanceof SecretRef) {
    const type = item.cipher.type;
    if (type !== undefined && type !== 'str' && type !== 'bytes') throw wrongType(type, path, document, item.line);
    return new SecretRef(
      item.source,
      item.cipher,
      field === 'data' && item.source.format === 'sops' ? 'base64' : 'value',
      item.line,
    );
  }
  if (typeof item !== 'string') throw wrongType(Array.isArray(item) ? 'list' : typeof item, path, document);
  if (field === 'stringData') return Buffer.from(item, 'utf8').toString('base64');
  const compact = item.replace(/[\r\n]/g, '');
  if (!BASE64.test(compact)) throw notBase64(path, document);
  return compact;
}

function refusePlaintext(data: ClosedObject, document: ClosedDocument, rule: PlaintextRule): void {
  if (rule === 'refuse' && isPlaintext(data, document)) throw plaintextSecret(document);
}

function isPlaintext(data: ClosedObject, document: ClosedDocument): boolean {
  const values = Object.values(data).filter((item) => item !== '');
  // A SOPS file of which no value is encrypted (a rule that names other fields) is as readable as any other.
  if (document.encryption === 'sops' && values.some((item) => item instanceof SecretRef)) return false;
  return document.encryption !== 'sealed' && values.length > 0;
}

/** With `plaintextSecrets: warn` the Secret is applied and reported, unless its manifest says that it may be readable. */
export function plaintextWarning(
  document: ClosedDocument,
  object: DesiredObject,
  rule: PlaintextRule,
): SottoError | undefined {
  const { id, tree } = object;
  const data = isClosedObject(tree['data']) ? tree['data'] : {};
  if (rule !== 'warn' || id.kind !== 'Secret' || id.group !== '' || !isPlaintext(data, document)) return undefined;
  if (stringAt(tree, 'metadata', 'annotations', 'sotto.dev/plaintext') === 'allowed') return undefined;
  return plaintextSecret(document).at({ file: object.file, line: object.line, object: displayObject(id) });
}

function plaintextSecret(document: ClosedDocument): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-004',
    what: 'a Secret stands in Git in plain text',
    why: 'everybody who can read the repository, its mirrors and its history can read the values',
    next: `sotto encrypt -i ${fileWord(document.file)}   (and change the values: the history keeps the old ones)`,
  });
}

function wrongType(type: string, path: readonly string[], document: ClosedDocument, line?: number): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-010',
    what: 'a value of a Secret is not a string',
    why: `it reads as ${type}, and the API server accepts strings only (and repeats the value in its answer)`,
    next:
      document.encryption === 'sops'
        ? `sops edit ${fileWord(document.file)}   (put the value in quotes)`
        : 'put the value in quotes',
    key: path.join('.'),
    line: line ?? document.lineAt(path),
  });
}

function notBase64(path: readonly string[], document: ClosedDocument): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-011',
    what: 'a value under data is not base64',
    why: 'data holds base64 text; plain text belongs under stringData',
    next: 'move the entry to stringData, or encode it: base64 -w0',
    key: path.join('.'),
    line: document.lineAt(path),
  });
}

function encryptedField(path: readonly string[], document: ClosedDocument): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-005',
    what: `${path.join('.')} is encrypted`,
    why: 'only the values under data and stringData of a Secret may be encrypted',
    next: "set encrypted_regex: '^(data|stringData)$' in .sops.yaml and encrypt the file again",
    key: path.join('.'),
    line: document.lineAt(path),
  });
}
