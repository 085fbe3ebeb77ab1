import { open, stat } from 'node:fs/promises';
import { numberAt, parseJson, stringAt } from '../core/json.ts';
import type { Json } from '../core/json.ts';

/** One request as the API server's audit log has it. */
export interface AuditEntry {
  readonly id: string;
  readonly user: string;
  /** As whom the user acted; '' for itself. */
  readonly impersonatedUser: string;
  readonly userAgent: string;
  readonly verb: string;
  readonly uri: string;
  readonly apiGroup: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** 0 while a watch is still open. */
  readonly status: number;
  /** ResponseStarted for a watch that is still open, ResponseComplete otherwise. */
  readonly stage: string;
  readonly receivedAt: string;
  /** When the last stage was reached. */
  readonly endedAt: string;
}

export interface AuditQuery {
  readonly user?: string;
  /** From `auditMark()`: only what was logged after it. */
  readonly since?: number;
}

/** Who asked what, never with a body: the log holds no values. The API server's requests to itself are left out. */
export const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    users: ["system:apiserver"]
  - level: Metadata
`;

export async function auditLogSize(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.size ?? 0;
}

/** Requests in the order in which they ended. A watch counts once, with its last stage. */
export async function readAuditEntries(path: string, query: AuditQuery): Promise<readonly AuditEntry[]> {
  const byId = new Map<string, AuditEntry>();
  for (const line of await linesFrom(path, query.since ?? 0)) {
    const entry = entryOf(parseJson(line));
    if (query.user !== undefined && entry.user !== query.user) continue;
    byId.set(entry.id, entry);
  }
  return [...byId.values()];
}

/** Whole lines only: the server may be writing the last one. */
async function linesFrom(path: string, offset: number): Promise<readonly string[]> {
  const size = await auditLogSize(path);
  if (size <= offset) return [];
  await using file = await open(path);
  const bytes = Buffer.alloc(size - offset);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, offset);
  const text = bytes.subarray(0, bytesRead).toString();
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '');
}

function entryOf(event: Json): AuditEntry {
  const text = (...path: readonly string[]): string => stringAt(event, ...path) ?? '';
  return {
    id: text('auditID'),
    user: text('user', 'username'),
    impersonatedUser: text('impersonatedUser', 'username'),
    userAgent: text('userAgent'),
    verb: text('verb'),
    uri: text('requestURI'),
    apiGroup: text('objectRef', 'apiGroup'),
    resource: text('objectRef', 'resource'),
    subresource: text('objectRef', 'subresource'),
    namespace: text('objectRef', 'namespace'),
    name: text('objectRef', 'name'),
    status: numberAt(event, 'responseStatus', 'code') ?? 0,
    stage: text('stage'),
    receivedAt: text('requestReceivedTimestamp'),
    endedAt: text('stageTimestamp'),
  };
}
