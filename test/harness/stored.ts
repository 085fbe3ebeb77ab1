import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { arrayAt, type Json, type JsonObject, parseJson, stringAt, stringifyJson } from '../../src/core/json.ts';
import type { ControlPlane } from '../../src/demo/control-plane.ts';

/**
 * Writes what is stored of objects once more, byte by byte, as a migration of the storage does: their resourceVersion
 * moves and nothing else. `resource` as in a URL: `secrets`, `deployments`. Returns how many.
 */
export async function rewriteStored(plane: ControlPlane, namespace: string, resource: string): Promise<number> {
  const { access, pids } = plane;
  const commandLine = await readFile(`/proc/${pids.apiserver}/cmdline`, 'utf8');
  const url = /--etcd-servers=(https:[^\0]+)/.exec(commandLine)?.[1] ?? '';
  const [ca, cert, key] = await Promise.all(
    [access.caPath, access.adminCertificatePath, access.adminKeyPath].map((path) => readFile(path)),
  );
  const agent = new Agent({ ca, cert, key, keepAlive: true });
  const ask = (path: string, body: JsonObject): Promise<Json> => askEtcd(agent, `${url}${path}`, body);
  try {
    const prefix = `/registry/${resource}/${namespace}/`;
    const [from, to] = [prefix, `${prefix.slice(0, -1)}0`].map((text) => Buffer.from(text).toString('base64'));
    const stored = arrayAt(await ask('/v3/kv/range', { key: from ?? '', range_end: to ?? '' }), 'kvs');
    for (const each of stored) {
      const name = stringAt(each, 'key') ?? '';
      const value = stringAt(each, 'value') ?? '';
      // As a migrator does: what somebody has written meanwhile is new already, and must not be undone.
      await ask('/v3/kv/txn', {
        compare: [{ key: name, target: 'MOD', result: 'EQUAL', mod_revision: stringAt(each, 'mod_revision') ?? '' }],
        success: [{ request_put: { key: name, value } }],
      });
    }
    return stored.length;
  } finally {
    agent.destroy();
  }
}

function askEtcd(agent: Agent, url: string, body: JsonObject): Promise<Json> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: 'POST', agent }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece)).once('error', reject);
      answer.once('end', () => {
        const text = Buffer.concat(pieces).toString();
        if (answer.statusCode === 200) resolve(parseJson(text));
        else reject(new Error(`etcd: ${String(answer.statusCode)} ${text}`));
      });
    });
    outgoing.once('error', reject);
    outgoing.end(stringifyJson(body));
  });
}
