import { asSottoError, SottoError } from '../../core/errors.ts';
import { isJsonObject, type Json } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { canonicalDocuments, canonicalYaml } from './canonical.ts';
import { type Nodes, type ReadDocument, readNodes, readValues } from './documents.ts';
import { type Encryption, encryptionOf, isInClear } from './encryption.ts';
import { type FileTree, type Find, finderOf, type TreeFile } from './file-tree.ts';
import { type Findings, noFindings, type PluginField, type Reading, type Reference } from './findings.ts';
import { secretTests } from './json-patch.ts';
import { isInline, readKustomization } from './kustomization.ts';
import { cleanPath, isAmbiguous, isBelow, joinPath } from './path.ts';
import { readPlugin } from './plugin.ts';
import * as refuse from './refusals.ts';
import { readReplacementFile } from './replacements.ts';
import { checkRole } from './role-checks.ts';
import type { Place, ReachableFile, Role, Scanned, Unread } from './scan-result.ts';
import { originsOf } from './origins.ts';
import { plainOperations, plainPatch, plainSecrets } from './plain-secrets.ts';
import { splitSecrets } from './secret-flow.ts';
import { GENERATED_PATH, secretPaths } from './secret-paths.ts';

const KUSTOMIZATION_NAMES = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];

/** What one folder costs to build, with everything below it; a base named twice is built twice. */
interface Weight {
  readonly builds: number;
  readonly nodes: number;
}

interface Reached {
  readonly file: TreeFile;
  readonly encryption: Encryption;
  readonly roles: Map<Role, Place[]>;
}

/** One scan, while it goes on. */
interface Walk {
  readonly find: Find;
  readonly reached: Map<string, Reached>;
  readonly rewritten: Map<string, string>;
  readonly weights: Map<string, Weight>;
  readonly findings: Findings;
  readonly unread: Set<string>;
  /** The folders being built, outermost first. */
  readonly stack: string[];
}

/** The scan of a tree that is there as a whole. */
export function scan(tree: FileTree, root: string): Scanned {
  const scanned = scanFurther(finderOf(tree), root);
  if (scanned.ok !== 'later') return scanned;
  throw new TypeError('a whole tree has nothing unread');
}

/**
 * Follows everything that `kustomize build` of the folder `root` would read, without running it. The files it names
 * are all that the build needs; whatever could make kustomize look elsewhere, start something, or treat a secret in a
 * way that a token does not show, is refused with its place. Reads no value and needs no key. What nobody has looked
 * at yet is told, to be looked at before the next scan.
 */
export function scanFurther(find: Find, root: string): Scanned | Unread {
  const walk: Walk = {
    find,
    reached: new Map(),
    rewritten: new Map(),
    weights: new Map(),
    findings: noFindings(),
    unread: new Set(),
    stack: [],
  };
  const { plaintext, inline, replacements, refusals, origins } = walk.findings;
  const weight = scanFolder(walk, root, undefined);
  if (walk.unread.size > 0) return { ok: 'later', unread: [...walk.unread] };
  refusals.push(
    ...splitSecrets(replacements, walk.findings.secretPaths),
    ...sizeRefusals(walk, weight),
    ...roleRefusals(walk),
  );
  if (refusals.length > 0) return { ok: false, refusals: distinct(refusals) };
  const files = [...walk.reached].map(([path, reached]) => reachableFile(path, reached));
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  const encoder = new TextEncoder();
  const rewritten = new Map([...walk.rewritten].map(([path, text]) => [path, encoder.encode(text)]));
  return { ok: true, result: { root, files, rewritten, plaintext, inline, origins } };
}

function scanFolder(walk: Walk, folder: string, place: Place | undefined): Weight {
  const known = walk.weights.get(folder);
  if (known !== undefined) return known;
  if (walk.stack.length >= LIMITS.maxKustomizationDepth) {
    throw refuse.tooMuch(place ?? {}, `bases are more than ${LIMITS.maxKustomizationDepth} deep`);
  }
  walk.stack.push(folder);
  const weight = attempt(walk, place?.file ?? folder, () => buildFolder(walk, folder, place));
  walk.stack.pop();
  walk.weights.set(folder, weight);
  return weight;
}

const NOTHING: Weight = { builds: 0, nodes: 0 };

function buildFolder(walk: Walk, folder: string, place: Place | undefined): Weight {
  const path = kustomizationOf(walk, folder, place);
  const found = path === undefined ? undefined : walk.find(path);
  if (path === undefined || found?.kind !== 'file') return NOTHING;
  const own = reach(walk, path, found.file, 'kustomization', inFile(path));
  if (own === undefined) return NOTHING;
  const document = onlyDocument(readValues(own, path), path);
  const at: Folder = { path: folder, findings: noFindings(), plugins: new Map() };
  readKustomization(document.value, { file: path, lineAt: document.lineAt, findings: at.findings });
  const weights: Weight[] = [{ builds: 1, nodes: own.count }];
  // Plugins name files as well, so the list grows while it is gone through.
  for (const reference of at.findings.references) {
    weights.push(attempt(walk, reference.file, () => follow(walk, at, reference)));
  }
  for (const inline of at.findings.inline) {
    weights.push(attempt(walk, inline.file, () => readInline(at.findings, inline)));
  }
  keep(walk.findings, at.findings);
  walk.rewritten.set(path, `${canonicalYaml(document.root, at.plugins)}\n`);
  return weights.reduce(sum);
}

/** A folder whose kustomization is being read. */
interface Folder {
  readonly path: string;
  readonly findings: Findings;
  /** Canonical form of plugins that stand in the kustomization as text, by that text. */
  readonly plugins: Map<string, string>;
}

function onlyDocument(documents: readonly ReadDocument[], file: string): ReadDocument {
  const [document, second] = documents;
  if (document !== undefined && second === undefined) return document;
  const place = { file, line: second?.lineAt([]), key: undefined };
  throw refuse.malformed(
    place,
    document === undefined ? 'a mapping, not an empty file,' : 'one document, not several,',
  );
}

/** Its one kustomization; undefined when there is none or more than one, which is refused. */
function kustomizationOf(walk: Walk, folder: string, place: Place | undefined): string | undefined {
  const { refusals } = walk.findings;
  const paths = KUSTOMIZATION_NAMES.map((name) => joinPath(folder, name)).filter((path) => {
    const found = walk.find(path);
    if (found.kind === 'irregular') throw refuse.irregular(inFile(path), path);
    if (found.kind === 'refused') throw found.error.at({ file: path });
    if (found.kind === 'unread') walk.unread.add(path);
    return found.kind === 'file';
  });
  if (walk.unread.has(joinPath(folder, KUSTOMIZATION_NAMES[0] ?? ''))) return undefined;
  if (paths.length === 0) refusals.push(refuse.noKustomization(place, folder));
  if (paths.length > 1) refusals.push(refuse.manyKustomizations(paths));
  return paths.length === 1 ? paths[0] : undefined;
}

function follow(walk: Walk, at: Folder, reference: Reference): Weight {
  const { as, text } = reference;
  if (as.kind === 'plugin' && isInline(text)) return readInlinePlugins(at, reference, as.field);
  const clean = cleanPath(at.path, text);
  if (clean.kind === 'remote') throw refuse.remoteSource(placeOf(reference));
  if (clean.kind === 'outside') throw refuse.outside(placeOf(reference), clean.why);
  if (clean.kind === 'odd') throw refuse.notThere(placeOf(reference), clean.why);
  const found = walk.find(clean.path);
  if (found.kind === 'unread') {
    walk.unread.add(clean.path);
    return NOTHING;
  }
  if (found.kind === 'irregular') throw refuse.irregular(placeOf(reference), found.path);
  if (found.kind === 'refused') throw found.error.at(placeOf(reference));
  if (found.kind === 'absent') throw refuse.notThere(placeOf(reference), `there is no ${clean.path}`);
  if (found.kind === 'folder') return followFolder(walk, at, reference, clean.path);
  if (as.kind === 'component') throw refuse.notThere(placeOf(reference), `${clean.path} is a file, not a folder`);
  if (!isBelow(clean.path, at.path)) {
    throw refuse.outside(placeOf(reference), `kustomize reads files only in and below ${at.path || 'the root'}`);
  }
  return readReached(walk, at, reference, clean.path, found.file);
}

function followFolder(walk: Walk, at: Folder, reference: Reference, folder: string): Weight {
  if (reference.as.kind === 'plugin') throw refuse.pluginFolder(placeOf(reference));
  if (reference.as.kind !== 'resource' && reference.as.kind !== 'component') {
    throw refuse.notThere(placeOf(reference), `${folder === '' ? 'it' : folder} is a folder, not a file`);
  }
  if (isAmbiguous(reference.text)) throw refuse.notThere(placeOf(reference), 'a part of the path only contains ..');
  // As kustomize has it: a folder above one that is being built is refused, whatever it names.
  if (walk.stack.some((open) => isBelow(open, folder))) throw refuse.cycle(placeOf(reference), [...walk.stack, folder]);
  return scanFolder(walk, folder, placeOf(reference));
}

function readReached(walk: Walk, at: Folder, reference: Reference, path: string, file: TreeFile): Weight {
  const { as } = reference;
  const role = roleOf(as);
  const nodes = reach(walk, path, file, role, placeOf(reference));
  const isPlain = walk.reached.get(path)?.encryption === 'none';
  const isClear = isInClear(file.bytes, walk.reached.get(path)?.encryption ?? 'none');
  if (as.kind === 'secret-file' && isClear) {
    const what = as.role === 'env-file' ? 'env-file' : 'file';
    at.findings.plaintext.push({ ...placeOf(reference), what });
  }
  if (as.kind === 'secret-file' && !isClear) at.findings.secretPaths.push(GENERATED_PATH);
  if (nodes === undefined) return NOTHING;
  if (role === 'document') at.findings.secretPaths.push(...secretPaths(nodes.documents));
  if (as.kind === 'plugin' && isPlain) {
    const documents = readValues(nodes, path);
    for (const document of documents) readPlugin(document.value, as.field, readingOf(path, document, at.findings));
    walk.rewritten.set(path, canonicalDocuments(documents.map(({ root }) => root)));
  }
  if (as.kind === 'resource') at.findings.origins.push(...originsOf(path, nodes.documents));
  if (isClear && role === 'document') at.findings.plaintext.push(...plainSecrets(path, nodes.documents));
  if (as.kind === 'file' && as.content !== undefined) {
    for (const document of readValues(nodes, path)) {
      const reading = readingOf(path, document, at.findings);
      if (as.content === 'replacements') readReplacementFile(reading, document.value);
      else {
        at.findings.refusals.push(...secretTests(document, reference.target, inFile(path)));
        if (isPlain) at.findings.plaintext.push(...plainOperations(document.value, reference.target, inFile(path)));
      }
    }
  }
  return { builds: 0, nodes: nodes.count };
}

function roleOf(as: Reference['as']): Role {
  if (as.kind === 'file' || as.kind === 'secret-file') return as.role;
  return as.kind === 'plugin' ? 'plugin' : 'document';
}

/** Notes the file with its role; its nodes where kustomize reads it as YAML. */
function reach(walk: Walk, path: string, file: TreeFile, role: Role, from: Place): Nodes | undefined {
  const before = walk.reached.get(path);
  const reached = before ?? { file, encryption: encryptionOf(path, file.bytes), roles: new Map<Role, Place[]>() };
  walk.reached.set(path, reached);
  const places = reached.roles.get(role) ?? [];
  reached.roles.set(role, [...places, from]);
  if (file.bytes.length > LIMITS.maxFileBytes) {
    walk.findings.refusals.push(refuse.tooMuch({ file: path }, `the file has ${file.bytes.length} bytes`));
    return undefined;
  }
  if (places.length === 0) {
    const { encryption } = reached;
    const wrong = checkRole({ path, bytes: file.bytes, role, encryption, place: from });
    walk.findings.refusals.push(...wrong);
    if (wrong.length > 0) return undefined;
  }
  return role === 'generator-file' || role === 'env-file' ? undefined : readNodes(file.bytes, path);
}

function readInlinePlugins(at: Folder, reference: Reference, field: PluginField): Weight {
  const { nodes, documents } = readText(reference);
  for (const document of documents) {
    const reading: Reading = { file: reference.file, lineAt: () => reference.line, findings: at.findings };
    readPlugin(document.value, field, reading);
  }
  at.plugins.set(reference.text, canonicalDocuments(documents.map(({ root }) => root)));
  at.findings.inline.push({ ...placeOf(reference), what: 'plugin', text: reference.text });
  return { builds: 0, nodes: nodes.count };
}

function readInline(findings: Findings, inline: Findings['inline'][number]): Weight {
  if (inline.what === 'plugin') return NOTHING;
  const { nodes, documents } = readText(inline);
  findings.plaintext.push(...plainPatch(nodes.documents, placeOf(inline)));
  for (const document of documents) {
    findings.plaintext.push(...plainOperations(document.value, inline.target, placeOf(inline)));
    const tests = secretTests({ ...document, lineAt: () => undefined }, inline.target, placeOf(inline));
    findings.refusals.push(...tests);
    // kustomize takes what is neither an object nor a list of operations for a path.
    if (!isPatch(document.value)) findings.refusals.push(refuse.malformed(placeOf(inline), 'a patch'));
  }
  return { builds: 0, nodes: nodes.count };
}

function isPatch(value: Json): boolean {
  return Array.isArray(value) || (isJsonObject(value) && typeof value['kind'] === 'string');
}

/** A document inside of another one: its lines are not those of the file, so the place is that of the whole text. */
function readText(inline: Place & { readonly text: string }): { nodes: Nodes; documents: readonly ReadDocument[] } {
  try {
    // Not the name of the file: that could say JSON, and the text is YAML.
    const nodes = readNodes(new TextEncoder().encode(inline.text), 'text');
    return { nodes, documents: readValues(nodes, 'text') };
  } catch (thrown) {
    const { code, what, why, next } = asSottoError(thrown);
    throw new SottoError({ code, what, why, next, ...placeOf(inline) });
  }
}

function sizeRefusals(walk: Walk, weight: Weight): SottoError[] {
  const { builds, nodes } = weight;
  const bytes = [...walk.reached.values()].reduce((total, { file }) => total + file.bytes.length, 0);
  const inRoot = { file: [...walk.reached.keys()][0] };
  const over = [
    { count: walk.reached.size, cap: LIMITS.maxSnapshotFiles, of: 'files' },
    { count: bytes, cap: LIMITS.maxSnapshotBytes, of: 'bytes' },
    { count: builds, cap: LIMITS.maxKustomizationBuilds, of: 'kustomizations, each counted as often as it is built' },
    { count: nodes, cap: LIMITS.maxRenderNodes, of: 'YAML nodes, aliases and repeated bases written out' },
  ].filter(({ count, cap }) => count > cap);
  return over.map(({ count, cap, of }) => refuse.tooMuch(inRoot, `it has ${count} ${of}; the cap is ${cap}`));
}

/** A file with secrets is closed in one way; a file that is rewritten is not what another role would read. */
function roleRefusals(walk: Walk): SottoError[] {
  return [...walk.reached].flatMap(([path, { encryption, roles }]) => {
    const isFree = encryption === 'none' && !roles.has('kustomization') && !roles.has('plugin');
    if (roles.size < 2 || isFree) return [];
    return [
      refuse.twoRoles(
        path,
        [...roles.values()].flatMap((places) => places.slice(0, 1)),
      ),
    ];
  });
}

function reachableFile(path: string, { encryption, roles }: Reached): ReachableFile {
  const [role = 'document'] = roles.keys();
  return { path, role, encryption, places: [...roles.values()].flat() };
}

function readingOf(file: string, document: ReadDocument, findings: Findings): Reading {
  return { file, lineAt: document.lineAt, findings };
}

function placeOf({ file, line, key }: Place): Place {
  return { file, line, key };
}

function inFile(file: string): Place {
  return { file, line: undefined, key: undefined };
}

function sum(a: Weight, b: Weight): Weight {
  return { builds: a.builds + b.builds, nodes: a.nodes + b.nodes };
}

function keep(into: Findings, from: Findings): void {
  into.plaintext.push(...from.plaintext);
  into.inline.push(...from.inline);
  into.replacements.push(...from.replacements);
  into.origins.push(...from.origins);
  into.secretPaths.push(...from.secretPaths);
  into.refusals.push(...from.refusals);
}

/** One bad reference is one refusal: the others are looked at all the same. */
function attempt(walk: Walk, file: string, task: () => Weight): Weight {
  try {
    return task();
  } catch (thrown) {
    walk.findings.refusals.push(asSottoError(thrown).at({ file }));
    return NOTHING;
  }
}

function distinct(refusals: readonly SottoError[]): SottoError[] {
  return [...new Map(refusals.map((error) => [error.text(), error])).values()];
}
