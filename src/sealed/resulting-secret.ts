import type { JsonObject } from '../core/json.ts';
import type { SealedItem, SealedObject } from './sealed-secret.ts';
import type { FilledPart } from './template.ts';

/** The Secret that a SealedSecret becomes, still closed. */
export interface SealedResult {
  /** apiVersion, kind, metadata, type and immutable: everything but `data`. */
  readonly tree: JsonObject;
  /** Entries whose values are sealed, by name. */
  readonly items: ReadonlyMap<string, SealedItem>;
  /** Entries that stand in clear in `template.data`, by name; base64 text as `data` holds it. */
  readonly literals: ReadonlyMap<string, string>;
  /** Entries of `template.data` that are put together of texts and sealed values, by name. */
  readonly composed: ReadonlyMap<string, readonly FilledPart[]>;
}

/**
 * Name and namespace are the SealedSecret's own. Where an entry is in both, the sealed one counts (0.37 and later);
 * null in `template.data` removes it (0.40). No owner reference: the Secret belongs to what Git says.
 */
export function sealedToSecret(sealed: SealedObject): SealedResult {
  const { template } = sealed;
  const kept = sealed.items.filter((item) => template.data.get(item.key) !== null);
  const items = new Map(kept.map((item) => [item.key, item]));
  const literals = new Map<string, string>();
  const composed = new Map<string, readonly FilledPart[]>();
  for (const [key, parts] of template.data) {
    if (parts === null || items.has(key)) continue;
    if (parts.every(isClear)) literals.set(key, Buffer.from(parts.map(clearText).join(''), 'utf8').toString('base64'));
    else composed.set(key, parts);
  }
  const metadata = {
    name: sealed.name,
    namespace: sealed.namespace,
    ...(Object.keys(template.labels).length === 0 ? {} : { labels: template.labels }),
    ...(Object.keys(template.annotations).length === 0 ? {} : { annotations: template.annotations }),
    ...(template.finalizers.length === 0 ? {} : { finalizers: template.finalizers }),
  };
  const tree = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata,
    ...(template.type === undefined ? {} : { type: template.type }),
    ...(template.immutable === undefined ? {} : { immutable: template.immutable }),
  };
  return { tree, items, literals, composed };
}

/** The sealed items that a part is made of. */
export function itemsIn(part: FilledPart): readonly SealedItem[] {
  if (part.kind === 'text') return [];
  return part.kind === 'item' ? [part.item] : itemsIn(part.of);
}

function isClear(part: FilledPart): boolean {
  return itemsIn(part).length === 0;
}

function clearText(part: FilledPart): string {
  if (part.kind === 'text') return part.text;
  return part.kind === 'base64' ? Buffer.from(clearText(part.of), 'utf8').toString('base64') : '';
}
