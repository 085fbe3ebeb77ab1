import { displayObject } from '../core/ids.ts';
import { stringifyJson } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { pointer } from '../drift/pointer.ts';
import { sortFields } from '../drift/secret-places.ts';
import type { HandField } from '../drift/undone-fields.ts';
import type { DesiredObject } from '../render/desired.ts';

/** A change of a person that was undone, for `sotto keep`: in `/status.json`, and nowhere else. */
export interface UndoneEdit {
  /** Counts from 1 on, as long as the agent runs. */
  readonly n: number;
  readonly at: string;
  readonly object: string;
  readonly apiVersion: string;
  readonly namespace: string;
  readonly sync: string;
  readonly file: string;
  readonly line: number;
  /** What Git said when it was undone. */
  readonly revision: string;
  readonly manager: string;
  readonly fields: readonly UndoneField[];
  /** Fields that may hold a secret: their values were not remembered. */
  readonly withheld: readonly string[];
}

export interface UndoneField {
  readonly path: string;
  /** Steps as managedFields writes them: `f:spec`, `k:{"name":"app"}`. */
  readonly field: readonly string[];
  /** The value as JSON text; absent: it was removed. */
  readonly json?: string;
}

export interface UndoneFacts {
  readonly at: string;
  readonly object: DesiredObject;
  readonly sync: string;
  readonly revision: string | undefined;
  readonly manager: string | undefined;
  readonly fields: readonly HandField[];
}

/** The newest changes that were undone, bounded in number and bytes. Never one of a Secret. */
export class UndoneEdits {
  readonly #edits: UndoneEdit[] = [];
  #last = 0;

  /** Whether it can be kept later. */
  remember({ at, object, sync, revision, manager, fields }: UndoneFacts): boolean {
    const { shown, withheld } = sortFields(object.id, fields);
    if (shown.length === 0 || revision === undefined) return false;
    const { id, apiVersion, file, line } = object;
    const edit = {
      at,
      object: displayObject(id),
      apiVersion,
      namespace: id.namespace,
      sync,
      file,
      line,
      revision,
      manager: manager ?? 'unknown',
      fields: shown.map(undoneField),
      withheld: withheld.map(pointer),
    };
    if (sizeOf(edit) > LIMITS.maxUndoneEditBytes) return false;
    this.#forget(edit);
    this.#last += 1;
    this.#edits.unshift({ n: this.#last, ...edit });
    while (this.#edits.length > LIMITS.maxUndoneEdits || sizeOf(this.#edits) > LIMITS.maxUndoneBytes) this.#edits.pop();
    return true;
  }

  /** Newest first. */
  list(): readonly UndoneEdit[] {
    return [...this.#edits];
  }

  /** Whoever writes the same again and again must not drive out what a person did once. */
  #forget(edit: Omit<UndoneEdit, 'n'>): void {
    const same = this.#edits.findIndex((each) => signature(each) === signature(edit));
    if (same !== -1) this.#edits.splice(same, 1);
  }
}

function undoneField({ field, value }: HandField): UndoneField {
  const common = { path: pointer(field), field };
  return value === undefined ? common : { ...common, json: stringifyJson(value) };
}

function signature({ object, manager, fields }: Omit<UndoneEdit, 'n'>): string {
  return JSON.stringify([object, manager, fields.map(({ path }) => path)]);
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
