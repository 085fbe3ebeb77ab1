import { SottoError } from '../../core/errors.ts';
import { isJsonObject, memberAt } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { type ClosedTree, parseSopsFile, SopsLeaf } from '../../sops/file.ts';
import type { Encryption } from './encryption.ts';
import { encryptedConfiguration, longEnvLine, wrongEncryption } from './refusals.ts';
import type { Place, Role } from './scan-result.ts';

/** A file in the role that somebody gave it. */
export interface RoleOfFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly role: Role;
  readonly encryption: Encryption;
  readonly place: Place;
}

/** What cannot work in this role, as far as it is known without a key. */
export function checkRole(file: RoleOfFile): SottoError[] {
  switch (file.role) {
    case 'kustomization':
      return file.encryption === 'none' ? [] : [encryptedConfiguration(file.path, 'the kustomization')];
    case 'plugin':
    case 'config':
      return file.encryption === 'none' ? [] : [encryptedConfiguration(file.path, 'a configuration of kustomize')];
    case 'document':
      return checkDocument(file);
    case 'env-file':
      return checkEnvFile(file);
    case 'generator-file':
      // Closed as a whole, in whatever form.
      return [];
    default:
      return file.role satisfies never;
  }
}

function checkDocument({ path, bytes, encryption, place }: RoleOfFile): SottoError[] {
  if (encryption === 'none') return [];
  if (encryption !== 'yaml' && encryption !== 'json') {
    const why = 'it is encrypted as a whole, so the objects in it are not known before it is opened';
    return [wrongEncryption(path, why, `encrypt it as YAML: \`sotto encrypt -i --input-type yaml\``, place)];
  }
  const sops = parseSopsFile(new TextDecoder().decode(bytes), encryption, path);
  return sops.documents.flatMap(({ tree }) => leavesOf(tree).flatMap((leaf) => checkLeaf(leaf, tree, path)));
}

/** Fields that say which object a document is about, and what a patch or replacement does with it. */
const READABLE = new Set(['apiVersion', 'kind', 'metadata', 'op', 'path', 'from', 'target', 'targets', 'source']);

function checkLeaf(leaf: SopsLeaf, tree: ClosedTree, file: string): SottoError[] {
  const key = leaf.place.join('.');
  if (leaf.place.some((step, index) => READABLE.has(step) && isStructure(tree, leaf.place, index))) {
    return [mustBeReadable({ file, line: leaf.line, key })];
  }
  return leaf.type === 'int' || leaf.type === 'float' || leaf.type === 'bool'
    ? [typedLeaf({ file, line: leaf.line, key }, leaf.type)]
    : [];
}

/** At the top of an object or of an item of a list; `data.path` of a Secret is a value like any other. */
function isStructure(tree: ClosedTree, place: readonly string[], index: number): boolean {
  if (index === 0) return true;
  if (!/^\d+$/.test(place[index - 1] ?? '')) return false;
  const parent = memberAtPlace(tree, place.slice(0, index - 1));
  return Array.isArray(parent);
}

function memberAtPlace(tree: ClosedTree, place: readonly string[]): unknown {
  let at: unknown = tree;
  for (const step of place) {
    if (Array.isArray(at)) at = at[Number(step)];
    else at = isJsonObject(at) ? memberAt(at, step) : undefined;
  }
  return at;
}

function leavesOf(tree: ClosedTree): SopsLeaf[] {
  if (tree instanceof SopsLeaf) return [tree];
  if (typeof tree !== 'object' || tree === null) return [];
  return Object.values(tree).flatMap((each) => leavesOf(each as ClosedTree));
}

function checkEnvFile({ path, bytes, encryption, place }: RoleOfFile): SottoError[] {
  if (encryption === 'yaml' || encryption === 'json' || encryption === 'ini') {
    // In clear, an INI file has a blank before each equals sign, which kustomize takes for a part of the name.
    const why = `envs reads lines of the form key=value, and it is encrypted as ${encryption.toUpperCase()}`;
    return [wrongEncryption(path, why, 'keep it as a file that ends in .env, or name it under files', place)];
  }
  // The lines of an encrypted file are known when it is opened.
  if (encryption !== 'none') return [];
  const line = tooLongLine(bytes);
  return line === undefined ? [] : [longEnvLine(path, line, place)];
}

/** 1-based number of the first line that kustomize would not read; it loses the rest of the file with it. */
export function tooLongLine(bytes: Uint8Array): number | undefined {
  let start = 0;
  for (let line = 1; start <= bytes.length; line += 1) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline === -1 ? bytes.length : newline;
    if (end - start > LIMITS.maxEnvLineBytes) return line;
    start = end + 1;
  }
  return undefined;
}

function mustBeReadable(place: Place): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-005',
    what: 'a field that must be readable is encrypted',
    why: 'only values may be encrypted; this field says which object it is or what is done with it',
    next: 'set encrypted_regex to ^(data|stringData)$ and encrypt the file again',
    ...place,
  });
}

function typedLeaf(place: Place, type: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-010',
    what: 'an encrypted value is not a string',
    why: `it was encrypted as ${type}, and values of a Secret are strings`,
    next: `open the file with \`sotto decrypt\`, put quotes around the value, and encrypt it again`,
    ...place,
  });
}
