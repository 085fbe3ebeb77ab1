import { base64Length, writeBase64 } from '../apply/body.ts';
import { type JsonObject, stringifyJson } from '../core/json.ts';
import { ownedBytes, type Sensitive } from '../core/sensitive.ts';

/** The manifest of the fingerprint Secret. The caller sends it as the body of a Secret, which overwrites it. */
export function fingerprintBody(
  metadata: JsonObject,
  entries: Readonly<Record<string, Sensitive>>,
): Uint8Array<ArrayBuffer> {
  const head = `{"apiVersion":"v1","kind":"Secret","metadata":${stringifyJson(metadata)},"type":"Opaque","data":{`;
  const parts = Object.entries(entries).map(([entry, value], at) => ({
    lead: Buffer.from(`${at === 0 ? head : '",'}${JSON.stringify(entry)}:"`),
    value,
  }));
  const tail = Buffer.from('"}}');
  const size = parts.reduce((sum, { lead, value }) => sum + lead.length + base64Length(value.length), tail.length);
  const body = ownedBytes(size);
  let at = 0;
  for (const { lead, value } of parts) {
    body.set(lead, at);
    at = writeBase64(value.reveal(), body, at + lead.length);
  }
  body.set(tail, at);
  return body;
}
