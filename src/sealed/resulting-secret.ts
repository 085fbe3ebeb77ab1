import type { JsonObject } from '../core/json.ts';
import type { SealedItem, SealedObject } from './sealed-secret.ts';

/** The Secret that a SealedSecret becomes, still closed. */
export interface SealedResult {
  /** apiVersion, kind, metadata, type and immutable: everything but `data`. */
  readonly tree: JsonObject;
  /** Entries whose values are sealed, by name. */
  readonly items: ReadonlyMap<string, SealedItem>;
  /** Entries that stand in clear in `template.data`, by name; base64 text as `data` holds it. */
  readonly literals: ReadonlyMap<string, string>;
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
  for (const [key, text] of template.data) {
    if (text !== null && !items.has(key)) literals.set(key, Buffer.from(text, 'utf8').toString('base64'));
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
  return { tree, items, literals };
}
