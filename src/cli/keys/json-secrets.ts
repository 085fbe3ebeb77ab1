import { isDeeper } from '../../core/json-depth.ts';
import { LIMITS } from '../../core/limits.ts';
import { copySecret, ownedBytes } from '../../core/sensitive.ts';
import { wipeEntries } from '../../keys/key-secret.ts';
import { arrayItems, objectMembers, type Span, stringAtSpan, valueSpan } from '../../kube/json-bytes.ts';
import { parseSecret, type SecretContent } from '../../kube/secret-reader.ts';

/** What a JSON file holds that is a Secret or a list of objects. */
export interface JsonSecrets {
  /** The caller wipes their entries. */
  readonly secrets: readonly SecretContent[];
  /** How many objects are something else. */
  readonly others: number;
}

/**
 * The Secrets of a backup, with their values as bytes: no value becomes a string. Undefined for what is no JSON, or JSON that
 * an API server does not give, such as a Secret with `stringData`. The caller keeps and wipes the bytes.
 */
export function jsonSecrets(bytes: Uint8Array): JsonSecrets | undefined {
  if (isDeeper(bytes, LIMITS.maxDepth)) return undefined;
  // Taking a Secret apart overwrites it.
  const own = ownedBytes(bytes.length);
  copySecret(bytes, own);
  const secrets: SecretContent[] = [];
  try {
    const spans = objectSpans(own);
    const found = spans?.filter((span) => textAt(own, span, 'kind') === 'Secret');
    if (spans === undefined || found === undefined) return undefined;
    if (found.some((span) => memberAt(own, span, 'stringData') !== undefined)) return undefined;
    for (const { start, end } of found) secrets.push(parseSecret(Buffer.from(own.buffer, start, end - start)));
    return { secrets, others: spans.length - found.length };
  } catch (thrown) {
    for (const secret of secrets) wipeEntries(secret);
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  } finally {
    own.fill(0);
  }
}

/** The items of a list, or the object itself. */
function objectSpans(bytes: Uint8Array): Span[] | undefined {
  const root = valueSpan(bytes, 0);
  if (bytes[root.start] !== 0x7b || bytes.subarray(root.end).some((byte) => byte > 0x20)) return undefined;
  const kind = textAt(bytes, root, 'kind');
  if (kind !== 'List' && kind !== 'SecretList') return [root];
  const items = memberAt(bytes, root, 'items');
  return items === undefined ? undefined : [...arrayItems(bytes, items.start)];
}

/** Of a member that stands twice the last counts, as for JSON.parse. */
function memberAt(bytes: Uint8Array, { start }: Span, name: string): Span | undefined {
  let found: Span | undefined;
  for (const { key, value } of objectMembers(bytes, start)) if (stringAtSpan(bytes, key) === name) found = value;
  return found;
}

function textAt(bytes: Uint8Array, span: Span, name: string): string | undefined {
  const value = memberAt(bytes, span, name);
  return value === undefined || bytes[value.start] !== 0x22 ? undefined : stringAtSpan(bytes, value);
}
