import { base64Length, writeBase64 } from '../apply/body.ts';
import { type JsonObject, stringifyJson } from '../core/json.ts';
import { ownedBytes, Sensitive } from '../core/sensitive.ts';

/** A key Secret, with the values that it shall hold. */
export interface KeySecretText {
  readonly metadata: JsonObject;
  readonly type: string;
  readonly entries: ReadonlyMap<string, Sensitive>;
}

/** The manifest in bytes: no value becomes a string. The caller wipes it, or sends it, which does. */
export function keySecretBody({ metadata, type, entries }: KeySecretText): Sensitive {
  const head = `{"apiVersion":"v1","kind":"Secret","metadata":${stringifyJson(metadata)},"type":${JSON.stringify(type)},"data":{`;
  const names = [...entries.keys()].map((name, index) => `${index === 0 ? '' : ','}${JSON.stringify(name)}:"`);
  const texts = names.reduce((sum, name) => sum + Buffer.byteLength(name) + 1, Buffer.byteLength(head) + 2);
  const values = [...entries.values()];
  const body = ownedBytes(values.reduce((sum, value) => sum + base64Length(value.length), texts));
  const encoder = new TextEncoder();
  let at = encoder.encodeInto(head, body).written;
  for (const [index, value] of values.entries()) {
    at += encoder.encodeInto(names[index] ?? '', body.subarray(at)).written;
    at = writeBase64(value.reveal(), body, at);
    body[at] = 0x22;
    at += 1;
  }
  encoder.encodeInto('}}', body.subarray(at));
  return Sensitive.adopt(body);
}
