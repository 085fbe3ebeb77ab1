import { type Closed, type ClosedObject, isClosedObject, SecretRef, withoutSecrets } from '../../core/closed.ts';
import { sourceDigest } from '../../core/digest.ts';
import { SottoError } from '../../core/errors.ts';
import type { SourceDigest } from '../../core/ids.ts';
import { canonicalJson, stringAt } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { expand, type Expanding, type Variables } from './expand.ts';
import { doesNotFit, notHere, notText } from './refusals.ts';
import { readKey, readScalar, scalarText } from './scalar-text.ts';
import { isOf, refuseReadable, type SecretValues, secretText, secretValues } from './secret-values.ts';
import { isTemplate, parseTemplate } from './template.ts';

/** An object before its identity is settled: its name may hold a variable. */
export interface Substitutable {
  readonly tree: ClosedObject;
  readonly digest: SourceDigest;
}

export interface RefusedSubstitution<T> {
  readonly object: T;
  /** With what could be replaced: tells who the object would have been. */
  readonly tree: ClosedObject;
  readonly error: SottoError;
  /** Of the place, before any key was replaced. */
  readonly path: readonly string[];
}

export interface Substituted<T> {
  /** In their order. An object without a variable is the same object, of the same digest. */
  readonly objects: readonly T[];
  readonly refused: readonly RefusedSubstitution<T>[];
  /** The digests that objects had before, by those they have now. */
  readonly before: ReadonlyMap<SourceDigest, SourceDigest>;
  /** Names of variables that some object asked for. */
  readonly used: ReadonlySet<string>;
}

const SWITCH = 'kustomize.toolkit.fluxcd.io/substitute';

/**
 * Replaces the variables of closed objects, as kustomize-controller does it on the YAML text of open ones. Values of
 * Secrets are never looked into and never changed. One object's trouble is its own.
 */
export function substitute<T extends Substitutable>(objects: readonly T[], variables: Variables): Substituted<T> {
  const expanding: Expanding = { variables, used: new Set(), budget: { left: LIMITS.maxSubstitutionSteps } };
  const done: T[] = [];
  const refused: RefusedSubstitution<T>[] = [];
  const before = new Map<SourceDigest, SourceDigest>();
  for (const object of objects) {
    if (isSwitchedOff(object.tree)) {
      done.push(object);
      continue;
    }
    const walk = new Walk(expanding, object.tree);
    const tree = walk.object(object.tree, []);
    const { failure } = walk;
    if (failure !== undefined) refused.push({ object, tree, ...failure });
    else if (tree === object.tree) done.push(object);
    else {
      const digest = digestOf(object, tree);
      before.set(digest, object.digest);
      done.push({ ...object, tree, digest });
    }
  }
  return { objects: done, refused, before, used: expanding.used };
}

/** Equal digest: nothing to apply. So it says what the variables made of the object. */
function digestOf({ digest }: Substitutable, tree: ClosedObject): SourceDigest {
  return sourceDigest('substituted', digest, canonicalJson(withoutSecrets(tree, HIDDEN)));
}

const HIDDEN = '…';

function isSwitchedOff(tree: ClosedObject): boolean {
  return ['labels', 'annotations'].some((field) => stringAt(tree, 'metadata', field, SWITCH) === 'disabled');
}

interface Failure {
  readonly error: SottoError;
  readonly path: readonly string[];
}

/** One object. What is unchanged keeps its identity; the first thing that goes wrong is kept, and the rest is done. */
class Walk {
  failure: Failure | undefined;
  readonly #expanding: Expanding;
  readonly #values: readonly SecretValues[];
  readonly #isConfigMap: boolean;

  constructor(expanding: Expanding, tree: ClosedObject) {
    this.#expanding = expanding;
    this.#values = secretValues(tree);
    this.#isConfigMap = isOf(tree, '', 'ConfigMap');
  }

  object(value: ClosedObject, path: readonly string[]): ClosedObject {
    let isChanged = false;
    const entries = Object.entries(value).map(([key, item]): [string, Closed] => {
      const newKey = this.#key(key, [...path, key]);
      const newItem = this.#value(item, [...path, key]);
      isChanged ||= newKey !== key || newItem !== item;
      return [newKey, newItem];
    });
    if (!isChanged) return value;
    if (new Set(entries.map(([key]) => key)).size < entries.length) {
      this.#fail(doesNotFit('two keys of one mapping would be the same'), path);
    }
    return Object.fromEntries(entries);
  }

  #value(value: Closed, path: readonly string[]): Closed {
    if (typeof value === 'string') return this.#string(value, path);
    if (value instanceof SecretRef) return this.#ref(value, path);
    if (isClosedObject(value)) return this.object(value, path);
    if (!Array.isArray(value)) return value;
    const items = value.map((item: Closed, index) => this.#value(item, [...path, String(index)]));
    return items.some((item, index) => item !== value[index]) ? items : value;
  }

  #string(value: string, path: readonly string[]): Closed {
    if (!isTemplate(value)) return value;
    return this.#attempt(path, value, () => {
      const secret = this.#secretValues(path);
      if (secret !== undefined) return secretText(value, secret);
      if (path.length === 1 && (path[0] === 'apiVersion' || path[0] === 'kind')) throw notHere(path[0], WHAT_IT_IS);
      const before = scalarText(value, false);
      const scalar = readScalar(expand(parseTemplate(before), this.#expanding), before);
      if (scalar !== null && typeof scalar !== 'string' && this.#isTextPlace(path)) throw notText();
      return scalar;
    });
  }

  #key(key: string, path: readonly string[]): string {
    if (!isTemplate(key)) return key;
    return this.#attempt(path, key, () => {
      if (this.#secretValues(path) !== undefined) throw notHere('a key of a Secret', KEY_OF_SECRET);
      if (path.length === 1) throw notHere('a field of the object itself', WHAT_IT_IS);
      if (key.includes('\n')) throw doesNotFit('it is a key with a line break');
      return readKey(expand(parseTemplate(scalarText(key, true)), this.#expanding));
    });
  }

  #ref(ref: SecretRef, path: readonly string[]): SecretRef {
    return this.#attempt(path, ref, () => refuseReadable(ref, this.#secretValues(path)));
  }

  #secretValues(path: readonly string[]): SecretValues | undefined {
    return this.#values.find(
      ({ below }) => path.length > below.length && below.every((step, index) => path[index] === step),
    );
  }

  /** Where the API server would refuse a number in words of its own; it is what everybody meets first. */
  #isTextPlace(path: readonly string[]): boolean {
    if (path[0] === 'metadata') return ['name', 'namespace', 'labels', 'annotations'].includes(path[1] ?? '');
    return this.#isConfigMap && path[0] === 'data';
  }

  #attempt<V>(path: readonly string[], otherwise: V, task: () => V): V {
    try {
      return task();
    } catch (thrown) {
      if (!(thrown instanceof SottoError)) throw thrown;
      this.#fail(thrown, path);
      return otherwise;
    }
  }

  #fail(error: SottoError, path: readonly string[]): void {
    this.failure ??= { error, path };
  }
}

const WHAT_IT_IS =
  'sotto tells by it what the object is, and how it is opened and checked, before anything is replaced';
const KEY_OF_SECRET = 'the values of a Secret stay where they were encrypted for';
