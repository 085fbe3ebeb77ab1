import { gunzipSync } from 'node:zlib';
import { lastKeys, openPart } from '../../src/agent/last-parts.ts';
import { stringAt } from '../../src/core/json.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import type { ControlPlaneClient } from '../../src/demo/control-plane.ts';
import { fingerprintKey, keyedDigest } from '../../src/keys/fingerprint.ts';
import { decodeInventory, type LastRecord } from '../../src/plan/inventory.ts';

/** A ConfigMap `sotto-last-N` as somebody reads it who has the fingerprint key. */
export interface OpenedPart {
  readonly name: string;
  readonly sync: string;
  readonly text: string;
}

type Plane = Pick<ControlPlaneClient, 'admin'>;

/** Where the inventory says that what was applied last is. */
export async function lastRecords(plane: Plane, namespace: string): Promise<Readonly<Record<string, LastRecord>>> {
  const key = await keyOf(plane, namespace);
  const { body } = await plane.admin('GET', `/api/v1/namespaces/${namespace}/configmaps/sotto-inventory`);
  const entry = stringAt(body, 'binaryData', 'inventory');
  if (key === undefined || entry === undefined) return {};
  const mac = (bytes: Uint8Array): Uint8Array => keyedDigest(key, 'inventory', namespace, bytes);
  return decodeInventory(Buffer.from(entry, 'base64'), mac)?.last ?? {};
}

/** Everything that is kept and can be opened. */
export async function lastOpened(plane: Plane, namespace: string): Promise<readonly OpenedPart[]> {
  const key = await keyOf(plane, namespace);
  if (key === undefined) return [];
  const keys = lastKeys(key, namespace);
  const opened: OpenedPart[] = [];
  for (const [sync, { version, parts }] of Object.entries(await lastRecords(plane, namespace))) {
    for (const { at, id } of parts) {
      const name = `sotto-last-${at}`;
      const { body } = await plane.admin('GET', `/api/v1/namespaces/${namespace}/configmaps/${name}`);
      const bytes = Buffer.from(stringAt(body, 'binaryData', 'objects') ?? '', 'base64');
      const packed = openPart(bytes, keys, { sync, version, id });
      if (packed !== undefined) opened.push({ name, sync, text: gunzipSync(packed).toString() });
    }
  }
  return opened;
}

async function keyOf(plane: Plane, namespace: string) {
  const { body } = await plane.admin('GET', `/api/v1/namespaces/${namespace}/secrets/sotto-fingerprint`);
  const entry = stringAt(body, 'data', 'key');
  const bytes = entry === undefined ? undefined : Buffer.from(entry, 'base64');
  return bytes?.length === 32 ? fingerprintKey(Sensitive.copyOf(bytes)) : undefined;
}
