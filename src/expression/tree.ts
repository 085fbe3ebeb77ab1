import type { Json } from '../core/json.ts';

/** A health expression as it was written, and what it says. */
export interface Expression {
  readonly text: string;
  readonly tree: Tree;
}

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=';
export type TextTest = 'startsWith' | 'endsWith' | 'contains';
export type Macro = 'all' | 'exists' | 'exists_one' | 'filter';

/** The part of CEL that is taken: it means what it means in CEL. */
export type Tree =
  | { readonly op: 'literal'; readonly value: Json }
  | { readonly op: 'list'; readonly items: readonly Tree[] }
  /** A field of the object, or the variable of a macro. */
  | { readonly op: 'name'; readonly name: string }
  | { readonly op: 'member'; readonly of: Tree; readonly name: string }
  | { readonly op: 'index'; readonly of: Tree; readonly index: Tree }
  | { readonly op: 'has'; readonly of: Tree; readonly name: string }
  | { readonly op: 'size'; readonly of: Tree }
  | { readonly op: 'not'; readonly of: Tree }
  | { readonly op: 'and' | 'or'; readonly left: Tree; readonly right: Tree }
  | { readonly op: 'compare'; readonly how: Comparison; readonly left: Tree; readonly right: Tree }
  | { readonly op: 'in'; readonly left: Tree; readonly right: Tree }
  | { readonly op: 'choose'; readonly test: Tree; readonly whenTrue: Tree; readonly whenFalse: Tree }
  | { readonly op: 'text'; readonly how: TextTest; readonly of: Tree; readonly part: Tree }
  | { readonly op: 'each'; readonly how: Macro; readonly of: Tree; readonly name: string; readonly body: Tree };
