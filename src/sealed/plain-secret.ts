import { timingSafeEqual } from 'node:crypto';
import { SottoError } from '../core/errors.ts';
import { isJsonObject, type Json, type JsonObject, member, memberAt, stringAt } from '../core/json.ts';
import { ownedBytes, Sensitive } from '../core/sensitive.ts';
import { readManifests } from '../yaml/manifest.ts';
import { isBase64 } from './base64.ts';

/** A Secret in clear, about to be sealed. Whoever made it wipes its values. */
export interface PlainSecret {
  readonly metadata: SecretMetadata;
  readonly type: string | undefined;
  readonly immutable: boolean | undefined;
  /** `data` decoded, overlaid with `stringData`. */
  readonly data: ReadonlyMap<string, Sensitive>;
}

/** The part of a Secret's metadata that sealing carries over. */
export interface SecretMetadata {
  /** Empty when the manifest gives none. */
  readonly name: string;
  readonly namespace: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly finalizers: readonly string[];
}

/**
 * The Secrets of a YAML or JSON text, several as documents, for `sotto seal`.
 *
 * The reader makes strings of the values on the way, which spec/memory.md (R1) forbids in the agent. Here the
 * process is the command itself: it ends with the answer, and its input was a plaintext file or pipe to begin with.
 * Throws SOTTO-SEAL-015, -017, -020 and what the YAML reader throws; never with text of the input.
 */
export function readSecretManifests(bytes: Uint8Array, file: string): readonly PlainSecret[] {
  const secrets: PlainSecret[] = [];
  try {
    for (const document of readManifests(textOf(bytes, file), file)) {
      const at = (path: readonly string[]): Place => ({
        file,
        line: document.lineAt(path) ?? document.line,
        key: path.length === 0 ? undefined : path.join('.'),
      });
      secrets.push(readSecret(document.value, at));
    }
  } catch (thrown) {
    for (const secret of secrets) wipeSecret(secret);
    throw thrown;
  }
  if (secrets.length > 0) return secrets;
  throw unreadable('it holds no document', { file });
}

/** Whether two are the same Secret: name, type and every byte of every value. */
export function isSameSecret(a: PlainSecret, b: PlainSecret): boolean {
  const head = ({ metadata, type, immutable }: PlainSecret): string =>
    JSON.stringify([metadata.name, metadata.namespace ?? '', type ?? 'Opaque', immutable ?? false]);
  if (head(a) !== head(b) || a.data.size !== b.data.size) return false;
  return [...a.data].every(([key, value]) => {
    const other = b.data.get(key);
    return other !== undefined && other.length === value.length && timingSafeEqual(other.reveal(), value.reveal());
  });
}

export function wipeSecret(secret: PlainSecret): void {
  for (const value of secret.data.values()) value.wipe();
}

interface Place {
  readonly file: string;
  readonly line?: number;
  readonly key?: string | undefined;
}
type At = (path: readonly string[]) => Place;

function textOf(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unreadable('it is not UTF-8 text', { file });
  }
}

function readSecret(manifest: Json, at: At): PlainSecret {
  if (!isJsonObject(manifest)) throw unreadable('the document is not a mapping', at([]));
  refuseOtherKinds(manifest, at);
  const immutable = member(manifest, 'immutable') ?? undefined;
  if (immutable !== undefined && typeof immutable !== 'boolean') {
    throw unreadable('immutable is not true or false', at(['immutable']));
  }
  const metadata = readMetadata(manifest, at);
  const type = optionalText(manifest, ['type'], at);
  return { metadata, type, immutable, data: readData(manifest, at) };
}

function refuseOtherKinds(manifest: JsonObject, at: At): void {
  const kind = stringAt(manifest, 'kind');
  if (kind === 'Secret' && manifest['apiVersion'] === 'v1') return;
  throw new SottoError({
    code: 'SOTTO-SEAL-015',
    what: kind === undefined ? 'the document has no kind' : 'the document is not a v1 Secret',
    why: 'only Secrets are sealed',
    next:
      kind?.endsWith('List') === true
        ? 'write the Secrets as documents parted by ---'
        : 'give the manifest of a Secret',
    ...at(['kind']),
  });
}

function readMetadata(manifest: JsonObject, at: At): SecretMetadata {
  const finalizers = memberAt(manifest, 'metadata', 'finalizers') ?? [];
  if (!Array.isArray(finalizers) || !finalizers.every((item) => typeof item === 'string')) {
    throw unreadable('finalizers is not a list of texts', at(['metadata', 'finalizers']));
  }
  return {
    name: optionalText(manifest, ['metadata', 'name'], at) ?? '',
    namespace: optionalText(manifest, ['metadata', 'namespace'], at) || undefined,
    labels: textMap(manifest, ['metadata', 'labels'], at),
    annotations: textMap(manifest, ['metadata', 'annotations'], at),
    finalizers,
  };
}

function optionalText(manifest: JsonObject, path: readonly string[], at: At): string | undefined {
  const value = memberAt(manifest, ...path) ?? undefined;
  if (value === undefined || typeof value === 'string') return value;
  throw unreadable('the field is not text: quote it', at(path));
}

function mapping(manifest: JsonObject, path: readonly string[], at: At): JsonObject {
  const value = memberAt(manifest, ...path) ?? {};
  if (!isJsonObject(value)) throw unreadable('the field is not a mapping', at(path));
  return value;
}

function textMap(manifest: JsonObject, path: readonly string[], at: At): Readonly<Record<string, string>> {
  const entries = Object.entries(mapping(manifest, path, at)).map(([name, value]): [string, string] => {
    if (typeof value === 'string') return [name, value];
    throw unreadable(
      'the value is not text: YAML reads unquoted numbers, true, yes and n otherwise',
      at([...path, name]),
    );
  });
  return Object.fromEntries(entries);
}

function readData(manifest: JsonObject, at: At): ReadonlyMap<string, Sensitive> {
  const values = new Map<string, Sensitive>();
  const put = (key: string, value: Sensitive): void => {
    values.get(key)?.wipe();
    values.set(key, value);
  };
  try {
    for (const [key, text] of Object.entries(mapping(manifest, ['data'], at)))
      put(key, decode(text, at(['data', key])));
    for (const [key, text] of Object.entries(mapping(manifest, ['stringData'], at))) {
      put(key, encode(text, at(['stringData', key])));
    }
  } catch (thrown) {
    for (const value of values.values()) value.wipe();
    throw thrown;
  }
  return values;
}

function decode(text: Json | undefined, place: Place): Sensitive {
  // kubeseal --recovery-unseal writes an empty value as null.
  if (text === null) return Sensitive.adopt(ownedBytes(0));
  if (typeof text !== 'string') throw badValue('an entry of data is not text', place);
  if (!isBase64(text)) throw badValue('an entry of data is not base64; clear text belongs into stringData', place);
  return takeOver(Buffer.from(text, 'base64'));
}

function encode(text: Json | undefined, place: Place): Sensitive {
  if (typeof text !== 'string') throw badValue('an entry of stringData is not text', place);
  return takeOver(Buffer.from(text, 'utf8'));
}

function takeOver(buffer: Buffer): Sensitive {
  const value = Sensitive.copyOf(buffer);
  buffer.fill(0);
  return value;
}

function badValue(why: string, place: Place): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-017',
    what: 'a value of the Secret cannot be sealed',
    why,
    next: 'put the value in quotes, or move it to the field it belongs to',
    ...place,
  });
}

function unreadable(why: string, place: Place): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-020',
    what: 'the Secret to seal cannot be read',
    why,
    next: 'correct the manifest; kubectl apply --dry-run=client -f FILE checks it too',
    ...place,
  });
}
