import type { JsonObject } from '../core/json.ts';
import { isJsonObject, memberAt, stringAt } from '../core/json.ts';
import { ownedBytes, Sensitive } from '../core/sensitive.ts';
import { blankLastApplied } from './answer-json.ts';
import { decodeBase64 } from './base64-bytes.ts';
import { kubeError } from './errors.ts';
import type { Answer } from './exchange.ts';
import { failureFromAnswer, failureOf, failureWithoutAnswer } from './failure.ts';
import { blankStrings, isStringSpan, objectMembers, stringAtSpan } from './json-bytes.ts';
import type { Span } from './json-bytes.ts';
import type { Outcome } from './outcome.ts';
import { QuietConnection } from './quiet-connection.ts';
import { resourcePath, SECRETS } from './resource.ts';
import { type Repeat, unrepeated } from './retry.ts';
import type { Transport } from './transport.ts';

export interface SecretContent {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly createdAt?: string | undefined;
  readonly type: string;
  /** The caller wipes them. */
  readonly entries: ReadonlyMap<string, Sensitive>;
}

/**
 * A Secret of the agent's own (keys, credentials) with its values, by spec/memory.md section 4. Undefined when it is not
 * there; throws SottoError otherwise. All Secrets that others own are seen as metadata only.
 */
export async function readSecret(
  transport: Transport,
  namespace: string,
  name: string,
  repeat: Repeat = unrepeated,
  signal: AbortSignal = transport.readSignal,
): Promise<SecretContent | undefined> {
  const outcome = await repeat(async () => {
    const first = await readOnce(transport, namespace, name, false, signal);
    return isUnauthorized(first) ? readOnce(transport, namespace, name, true, signal) : first;
  });
  if (outcome.ok) return outcome.value;
  if (outcome.failure.kind === 'not-found') return undefined;
  throw kubeError(outcome.failure, {
    verb: 'get',
    resource: SECRETS,
    namespace,
    name,
    user: transport.connection.user,
  });
}

const TIMEOUT_MS = 30_000;

async function readOnce(
  transport: Transport,
  namespace: string,
  name: string,
  renew: boolean,
  signal: AbortSignal | undefined,
): Promise<Outcome<SecretContent>> {
  const { connection } = transport;
  const headers = { ...(await connection.authorize(renew)), 'User-Agent': transport.userAgent };
  const quiet = new QuietConnection(connection, TIMEOUT_MS);
  try {
    const path = resourcePath(SECRETS, namespace, name);
    const reply = await transport.counted({ verb: 'get', resource: SECRETS }, () =>
      quiet.get(path, { ...headers, Accept: 'application/json' }, signal),
    );
    if (reply.kind === 'none') return { ok: false, failure: failureWithoutAnswer(reply) };
    const content = contentOf(reply);
    // A larger answer over the same connection takes the place of the values in the buffers below Node.
    await transport.counted({ verb: 'get', resource: undefined }, () =>
      quiet.get('/apis', { ...headers, Accept: DISCOVERY }, signal),
    );
    return content;
  } finally {
    quiet.close();
  }
}

function isUnauthorized(outcome: Outcome<unknown>): boolean {
  return !outcome.ok && outcome.failure.kind === 'unauthorized';
}

const DISCOVERY = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';

function contentOf(answer: Answer): Outcome<SecretContent> {
  try {
    if (answer.status !== 200) return { ok: false, failure: failureFromAnswer(answer, true) };
    return { ok: true, value: parseSecret(answer.bytes) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { ok: false, failure: failureOf({ kind: 'protocol', status: 200, reason: 'not JSON' }) };
  } finally {
    answer.bytes.fill(0);
  }
}

/** Takes a Secret apart. `bytes` is JSON and is overwritten where values stand. Throws SyntaxError. */
export function parseSecret(bytes: Buffer): SecretContent {
  const entries = new Map<string, Sensitive>();
  try {
    for (const member of objectMembers(bytes, 0)) {
      const key = stringAtSpan(bytes, member.key);
      if (key === 'data') takeEntries(bytes, member.value, entries);
      // The server never answers it; a Secret that is not from a server may have it.
      if (key === 'stringData') blankStrings(bytes, member.value);
    }
    blankLastApplied(bytes);
    const rest: unknown = JSON.parse(bytes.toString('utf8'));
    if (!isJsonObject(rest)) throw new SyntaxError('not an object');
    return { ...headOf(rest), entries };
  } catch (error) {
    for (const value of entries.values()) value.wipe();
    throw error;
  }
}

function headOf(secret: JsonObject): Omit<SecretContent, 'entries'> {
  return {
    name: stringAt(secret, 'metadata', 'name') ?? '',
    uid: stringAt(secret, 'metadata', 'uid') ?? '',
    resourceVersion: stringAt(secret, 'metadata', 'resourceVersion') ?? '',
    labels: textMap(secret, 'labels'),
    annotations: textMap(secret, 'annotations'),
    createdAt: stringAt(secret, 'metadata', 'creationTimestamp'),
    type: stringAt(secret, 'type') ?? '',
  };
}

/** Without a prototype: keys are foreign data. */
function textMap(secret: JsonObject, field: string): Record<string, string> {
  const map = memberAt(secret, 'metadata', field);
  const texts = isJsonObject(map) ? Object.entries(map).filter(([, value]) => typeof value === 'string') : [];
  return Object.assign(Object.create(null), Object.fromEntries(texts)) as Record<string, string>;
}

function takeEntries(bytes: Buffer, data: Span, entries: Map<string, Sensitive>): void {
  for (const member of objectMembers(bytes, data.start)) {
    const key = stringAtSpan(bytes, member.key);
    // Of a key that stands twice the last counts, as for JSON.parse.
    entries.get(key)?.wipe();
    if (isStringSpan(bytes, member.value)) {
      entries.set(key, decodeValue(bytes, member.value));
      blankStrings(bytes, member.value);
    } else {
      entries.set(key, Sensitive.adopt(ownedBytes(0)));
    }
  }
}

function decodeValue(bytes: Buffer, value: Span): Sensitive {
  const decoded = decodeBase64(bytes, value.start + 1, value.end - 1);
  if (decoded === undefined) throw new SyntaxError('not base64');
  return Sensitive.adopt(decoded);
}
