import { isJsonObject, type Json, member } from '../core/json.ts';
import type { Comparison, Tree } from './tree.ts';

/** `missing`: a field that is not there (yet). `wrong`: it cannot be said of this object. `costly`: it took too long. */
export class Fault {
  readonly kind: 'missing' | 'wrong' | 'costly';
  readonly text: string;

  constructor(kind: Fault['kind'], text: string) {
    this.kind = kind;
    this.text = text;
  }
}

/**
 * Some milliseconds. Objects are written by anybody and lists within macros multiply, so that the length of an
 * expression alone bounds nothing.
 */
const MAX_STEPS = 50_000;
/** Texts are compared in native code. */
const CHARS_PER_STEP = 256;

/** What the expression says of an object. */
export function evaluate(tree: Tree, object: Json): Json | Fault {
  return new Evaluation(object).value(tree);
}

class Evaluation {
  readonly #object: Json;
  readonly #variables = new Map<string, Json>();
  #steps = 0;

  constructor(object: Json) {
    this.#object = object;
  }

  value(tree: Tree): Json | Fault {
    if (this.#spend(1)) return TOO_COSTLY;
    switch (tree.op) {
      case 'literal':
        return tree.value;
      case 'list':
        return this.#list(tree.items);
      case 'name':
        return this.#variables.get(tree.name) ?? member(this.#object, tree.name) ?? missing(tree.name);
      case 'member':
        return this.#member(tree.of, tree.name);
      case 'index':
        return this.#index(tree.of, tree.index);
      case 'has':
        return this.#has(tree.of, tree.name);
      case 'size':
        return this.#size(tree.of);
      case 'not': {
        const of = this.#truth(tree.of);
        return of instanceof Fault ? of : !of;
      }
      case 'and':
      case 'or':
        return this.#joined(tree.op === 'or', tree.left, tree.right);
      case 'choose': {
        const test = this.#truth(tree.test);
        if (test instanceof Fault) return test;
        return this.value(test ? tree.whenTrue : tree.whenFalse);
      }
      case 'compare':
        return this.#pair(tree.left, tree.right, (left, right) => this.#compare(tree.how, left, right));
      case 'in':
        return this.#pair(tree.left, tree.right, (left, right) => this.#isIn(left, right));
      case 'text':
        return this.#pair(tree.of, tree.part, (of, part) => {
          if (typeof of !== 'string' || typeof part !== 'string') return wrong(`${tree.how}() is for texts`);
          if (this.#spend(of.length / CHARS_PER_STEP)) return TOO_COSTLY;
          if (tree.how === 'contains') return of.includes(part);
          return tree.how === 'startsWith' ? of.startsWith(part) : of.endsWith(part);
        });
      case 'each':
        break;
    }
    return this.#each(tree);
  }

  #spend(steps: number): boolean {
    this.#steps += steps;
    return this.#steps > MAX_STEPS;
  }

  #truth(tree: Tree): boolean | Fault {
    const value = this.value(tree);
    return value instanceof Fault || typeof value === 'boolean' ? value : wrong('true or false was expected');
  }

  #list(items: readonly Tree[]): Json | Fault {
    const values: Json[] = [];
    for (const item of items) {
      const value = this.value(item);
      if (value instanceof Fault) return value;
      values.push(value);
    }
    return values;
  }

  #pair(left: Tree, right: Tree, then: (left: Json, right: Json) => Json | Fault): Json | Fault {
    const first = this.value(left);
    if (first instanceof Fault) return first;
    const second = this.value(right);
    return second instanceof Fault ? second : then(first, second);
  }

  #member(of: Tree, name: string): Json | Fault {
    const value = this.value(of);
    if (value instanceof Fault) return value;
    if (!isJsonObject(value)) return wrong(`${name} was asked of what is no mapping`);
    return member(value, name) ?? missing(name);
  }

  #index(of: Tree, index: Tree): Json | Fault {
    return this.#pair(of, index, (value, at) => {
      if (Array.isArray(value)) {
        const items: readonly Json[] = value;
        return typeof at === 'number' ? (items[at] ?? missing(`[${at}]`)) : wrong('an item of a list has a number');
      }
      if (!isJsonObject(value) || typeof at !== 'string') return wrong('[] is for lists and mappings');
      return member(value, at) ?? missing(at);
    });
  }

  #has(of: Tree, name: string): Json | Fault {
    const value = this.value(of);
    if (value instanceof Fault) return value;
    return isJsonObject(value) ? member(value, name) !== undefined : wrong('has() is for mappings');
  }

  #size(of: Tree): Json | Fault {
    const value = this.value(of);
    if (value instanceof Fault) return value;
    if (typeof value === 'string' || Array.isArray(value)) return value.length;
    return isJsonObject(value) ? Object.keys(value).length : wrong('size() is for texts, lists and mappings');
  }

  /** As in CEL either side decides alone where it can, whatever is wrong with the other. */
  #joined(decisive: boolean, left: Tree, right: Tree): boolean | Fault {
    const first = this.#truth(left);
    if (first === decisive) return decisive;
    const second = this.#truth(right);
    if (second === decisive) return decisive;
    return first instanceof Fault ? first : second;
  }

  #compare(how: Comparison, left: Json, right: Json): boolean | Fault {
    if (how === '==' || how === '!=') {
      const equal = this.#equal(left, right);
      return equal instanceof Fault ? equal : equal === (how === '==');
    }
    if (isNumber(left) && isNumber(right)) return ordered(how, left, right);
    if (typeof left !== 'string' || typeof right !== 'string') return wrong(`${how} is for numbers and texts`);
    if (this.#spend(Math.min(left.length, right.length) / CHARS_PER_STEP)) return TOO_COSTLY;
    return ordered(how, left, right);
  }

  #equal(left: Json, right: Json): boolean | Fault {
    if (this.#spend(1)) return TOO_COSTLY;
    if (isNumber(left) && isNumber(right)) return !(left < right) && !(left > right);
    if (typeof left === 'string' && typeof right === 'string') {
      return this.#spend(Math.min(left.length, right.length) / CHARS_PER_STEP) ? TOO_COSTLY : left === right;
    }
    if (Array.isArray(left) && Array.isArray(right)) {
      const [items, others]: readonly [readonly Json[], readonly Json[]] = [left, right];
      if (items.length !== others.length) return false;
      return this.#every(items.keys(), (at) => this.#equal(items[at] ?? null, others[at] ?? null));
    }
    if (!isJsonObject(left) || !isJsonObject(right)) return left === right;
    const keys = Object.keys(left);
    if (keys.length !== Object.keys(right).length) return false;
    return this.#every(keys, (key) => {
      const other = member(right, key);
      return other === undefined ? false : this.#equal(member(left, key) ?? null, other);
    });
  }

  #every<T>(items: Iterable<T>, holds: (item: T) => boolean | Fault): boolean | Fault {
    for (const item of items) {
      const held = holds(item);
      if (held !== true) return held;
    }
    return true;
  }

  #isIn(value: Json, of: Json): boolean | Fault {
    if (!Array.isArray(of)) {
      if (!isJsonObject(of) || typeof value !== 'string') return wrong('in is for lists and mappings');
      return member(of, value) !== undefined;
    }
    const items: readonly Json[] = of;
    for (const item of items) {
      const equal = this.#equal(value, item);
      if (equal !== false) return equal;
    }
    return false;
  }

  #each({ how, of, name, body }: Tree & { readonly op: 'each' }): Json | Fault {
    const value = this.value(of);
    if (value instanceof Fault) return value;
    if (!Array.isArray(value) && !isJsonObject(value)) return wrong(`${how}() is for lists and mappings`);
    const items: readonly Json[] = Array.isArray(value) ? value : Object.keys(value);
    const outer = this.#variables.get(name);
    const result = this.#visit(how, items, (item) => {
      this.#variables.set(name, item);
      return this.#truth(body);
    });
    if (outer === undefined) this.#variables.delete(name);
    else this.#variables.set(name, outer);
    return result;
  }

  #visit(how: (Tree & { op: 'each' })['how'], items: readonly Json[], holds: (item: Json) => boolean | Fault) {
    const held: Json[] = [];
    let fault: Fault | undefined;
    for (const item of items) {
      const verdict = holds(item);
      if (verdict instanceof Fault) {
        // One item that decides is enough for `all` and `exists`, as with && and ||.
        if (verdict.kind === 'costly' || how === 'filter' || how === 'exists_one') return verdict;
        fault ??= verdict;
      } else if (how === 'all' && !verdict) return false;
      else if (how === 'exists' && verdict) return true;
      else if (verdict) held.push(item);
    }
    if (how === 'filter') return held;
    if (how === 'exists_one') return held.length === 1;
    return fault ?? how === 'all';
  }
}

const TOO_COSTLY = new Fault('costly', 'the object is too large for the expression');

function missing(name: string): Fault {
  return new Fault('missing', `there is no field ${name}`);
}

function wrong(text: string): Fault {
  return new Fault('wrong', text);
}

function isNumber(value: Json): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

function ordered<T extends number | bigint | string>(how: Comparison, left: T, right: T): boolean {
  if (how === '<') return left < right;
  if (how === '<=') return left <= right;
  return how === '>' ? left > right : left >= right;
}
