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
  readonly #kept: Kept[] = [];
  /** Of all that is kept, as JSON. */
  #bytes = 0;
  #last = 0;

  /** Whether it can be kept later. */
  remember({ at, object, sync, revision, manager, fields }: UndoneFacts): boolean {
    const { shown, withheld } = sortFields(object.id, fields);
    if (shown.length === 0 || revision === undefined) return false;
    const { id, apiVersion, file, line } = object;
    const edit: Omit<UndoneEdit, 'n'> = {
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
    this.#last += 1;
    this.#keep({ n: this.#last, ...edit });
    return true;
  }

  /** Newest first. */
  list(): readonly UndoneEdit[] {
    return this.#kept.map(({ edit }) => edit);
  }

  #keep(edit: UndoneEdit): void {
    const sameAs = signature(edit);
    const same = this.#kept.findIndex((each) => each.sameAs === sameAs);
    // Whoever writes the same again and again must not drive out what a person did once.
    if (same !== -1) this.#forget(same);
    const bytes = sizeOf(edit) + BETWEEN_BYTES;
    this.#kept.unshift({ edit, sameAs, bytes });
    this.#bytes += bytes;
    while (this.#kept.length > LIMITS.maxUndoneEdits || this.#bytes > LIMITS.maxUndoneBytes)
      this.#forget(this.#kept.length - 1);
  }

  #forget(at: number): void {
    for (const { bytes } of this.#kept.splice(at, 1)) this.#bytes -= bytes;
  }
}

interface Kept {
  readonly edit: UndoneEdit;
  /** The same for what takes one place. */
  readonly sameAs: string;
  readonly bytes: number;
}

/** A comma, or a bracket of the list. */
const BETWEEN_BYTES = 2;

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
