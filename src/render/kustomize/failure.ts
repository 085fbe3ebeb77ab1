import { SottoError } from '../../core/errors.ts';
import type { RunLimits, RunOutcome } from './run.ts';

/** What is known of the tree that kustomize complained about. */
export interface BuiltTree {
  /** Where it stood. */
  readonly folder: string;
  readonly root: string;
  readonly paths: ReadonlySet<string>;
}

interface Meaning {
  readonly pattern: RegExp;
  readonly why: string;
  readonly next: string;
}

/** The complaints that people meet. kustomize quotes files in them, so each is told in words of our own. */
const MEANINGS: readonly Meaning[] = [
  {
    pattern: /testing value .{0,500}failed|test failed/s,
    why: 'a test operation of a JSON patch does not hold (for a secret it never does: kustomize works on a stand-in)',
    next: 'remove the test operation or correct what it compares with',
  },
  {
    pattern: /no matches for Id|no resource matches strategic merge patch|unable to find patch target/,
    why: 'a patch names an object that is not there',
    next: 'compare apiVersion, kind, name and namespace of the patch with the resource',
  },
  {
    pattern: /already registered id|ID conflict|more than one|multiple matches/,
    why: 'two resources have the same apiVersion, kind, namespace and name',
    next: 'remove or rename one of them, or merge with behavior: merge',
  },
  {
    pattern: /must merge or replace|behavior must be|cannot merge or replace|does not exist; cannot/,
    why: 'the behavior of a generator does not fit: merge and replace need an object of that name, create must have none',
    next: 'correct behavior or the name of the generator',
  },
  {
    pattern: /illegally repeats the key/,
    why: 'a generator has the same key twice',
    next: 'remove or rename one of the keys under literals, files and envs',
  },
  {
    pattern: /invalid literal source|key name or file path contains|missing key name|missing file path/,
    why: 'a literal or file of a generator is not of the form key=value',
    next: 'write literals as key=value and files as path or key=path',
  },
  {
    pattern:
      /unable to find field|unable to find or create field|is missing for replacement|wrong node kind|nothing selected by|multiple possible matches|unable to find/,
    why: 'a replacement or transformer names a field or object that is not there',
    next: 'correct source, select and fieldPaths; options.create makes a missing field',
  },
  {
    pattern:
      /(?:add|remove|replace|move|copy) operation does not apply|missing value|Unable to remove nonexistent key|Unable to access invalid index|doc is missing/,
    why: 'an operation of a JSON patch names a path that the object has not',
    next: 'correct the path of the operation (a / inside of a key is written ~1)',
  },
  {
    pattern:
      /must specify a target|must specify one of patch and path|patch and path can't be set|illegally qualifies|unable to parse SM or JSON patch/,
    why: 'a patch is neither a merge patch nor a JSON patch with a target',
    next: 'give one of patch and path, and a target for a JSON patch',
  },
  {
    pattern: /expected kind '?!?=? ?'?Component|expected kind/,
    why: 'a component stands under resources, or something else under components',
    next: 'name folders with kind: Component under components, all others under resources',
  },
  {
    pattern: /cycle detected/,
    why: 'bases go round in a circle',
    next: 'remove one of the references',
  },
  {
    pattern:
      /invalid Kustomization|Failed to read kustomization file|kustomization\.yaml is empty|json: (?:unknown field|cannot unmarshal)/,
    why: 'a field of a kustomization has the wrong form',
    next: 'compare the kustomization with the documentation of kustomize',
  },
  {
    pattern:
      /MalformedYAMLError|yaml: |missing metadata\.name|missing Resource metadata|missing kind|Object 'Kind' is missing/,
    why: 'a file is not a list of objects with apiVersion, kind and metadata.name',
    next: 'correct the file, or take it out of resources',
  },
];

const UNKNOWN: Omit<Meaning, 'pattern'> = {
  why: 'its message is not shown here because it may quote what it was given',
  next: 'run `kustomize build` on the folder in a checkout: it says where',
};

/** The error of a failed build: its kind and the file, as far as they can be known; never a text out of the message. */
export function failureOf(complaint: string, built: BuiltTree): SottoError {
  const { why, next } = MEANINGS.find(({ pattern }) => pattern.test(complaint)) ?? UNKNOWN;
  return new SottoError({
    code: 'SOTTO-RENDER-037',
    what: 'kustomize refused to build',
    why,
    next,
    file: fileIn(complaint, built),
    object: objectIn(complaint),
  });
}

const ID =
  /(?:no matches for Id|registered id:|ID conflict:?) (\w+)\.\w+\.(\[noGrp\]|[\w.-]+)\/([a-z0-9.-]+)\.(?:\[noNs\]|[a-z0-9-]+)(?![\w.[-])/;

/** The object that a message is about. A name that is long enough to hold a token is none of Git's making. */
function objectIn(complaint: string): string | undefined {
  const [, kind, group, name] = ID.exec(complaint) ?? [];
  if (kind === undefined || group === undefined || name === undefined) return undefined;
  const object = group === '[noGrp]' ? `${kind}/${name}` : `${group}/${kind}/${name}`;
  return /\w{40}/.test(object) ? undefined : object;
}

/**
 * The last path of the tree that the message names: kustomize goes from the outside in. Relative names count from
 * the last folder that was named. Only paths of the tree are taken, so nothing else can get through.
 */
function fileIn(complaint: string, { folder, root, paths }: BuiltTree): string | undefined {
  const kustomizations = new Map([...paths].filter(isKustomization).map((path) => [parentOf(path), path]));
  let file = kustomizations.get(root);
  let at = root;
  for (const [text] of complaint.matchAll(/[^'"\s`()[\]]+/g)) {
    const name = text.replace(/[:,;]+$/, '');
    if (name === '') continue;
    const inTree = name === folder ? '' : name.startsWith(`${folder}/`) ? name.slice(folder.length + 1) : undefined;
    const path = inTree ?? (at === '' ? name : `${at}/${name}`);
    if (paths.has(path)) file = path;
    else if (kustomizations.has(path)) [file, at] = [kustomizations.get(path), path];
  }
  return file;
}

function isKustomization(path: string): boolean {
  return /(?:^|\/)(?:kustomization\.ya?ml|Kustomization)$/.test(path);
}

function parentOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
}

/** The error of a run that did not end by itself, or never began. */
export function endedError(
  outcome: Extract<RunOutcome, { kind: 'ended' | 'absent' }>,
  limits: RunLimits,
  root: string,
): SottoError {
  if (outcome.kind === 'absent') {
    return new SottoError({
      code: 'SOTTO-RENDER-039',
      what: 'kustomize cannot be started',
      why: 'the program is not there or cannot be run',
      next: 'install kustomize 5.8 and see that `kustomize version` works',
    });
  }
  const why = {
    timeout: `it ran for more than ${limits.timeoutMs / 1_000} s`,
    output: `it gave more than ${limits.maxOutputBytes} bytes`,
    memory: 'it needed more memory than it may have',
    stopped: 'this process is ending',
  }[outcome.why];
  return new SottoError({
    code: 'SOTTO-RENDER-038',
    what: 'kustomize was ended',
    why,
    next: 'split the kustomization into several syncs, or look for aliases and patches that multiply',
    file: root === '' ? undefined : root,
  });
}
