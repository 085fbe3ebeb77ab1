import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { type Json, type JsonObject, parseJson } from '../../src/core/json.ts';
import type { ControlPlaneClient, ServiceAccountAccess } from '../../src/demo/control-plane.ts';

export interface UserRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: JsonObject;
  readonly contentType?: string;
  /** Acts as this user, or tries to. */
  readonly asUser?: string;
}

/** One request of somebody with rights of his own; any status is an answer. */
export async function askAs(
  plane: ControlPlaneClient,
  account: Pick<ServiceAccountAccess, 'token'>,
  { method, path, body, contentType = 'application/json', asUser }: UserRequest,
): Promise<{ readonly status: number; readonly body: Json }> {
  const { url, caPath } = plane.access;
  const ca = await readFile(caPath);
  const headers = {
    Authorization: `Bearer ${account.token}`,
    'Content-Type': contentType,
    ...(asUser === undefined ? {} : { 'Impersonate-User': asUser }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { method, ca, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: answer.statusCode ?? 0, body: text.startsWith('{') ? parseJson(text) : text });
      });
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
