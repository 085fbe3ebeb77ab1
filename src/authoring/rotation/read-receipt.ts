import {
  array,
  check,
  custom,
  literal,
  maxLength,
  minLength,
  minValue,
  number,
  object,
  picklist,
  pipe,
  regex,
  safeInteger,
  safeParse,
  string,
  union,
} from 'valibot';
import { isDeeper } from '../../core/json-depth.ts';
import { LIMITS } from '../../core/limits.ts';
import { isReceiptKeyName, type ReceiptKeyName } from '../../core/receipt-key.ts';
import { isSignedBy } from '../../keys/receipt-key.ts';
import { type Receipt, RECEIPT_SCHEMA, signatureText, signedText } from './receipt.ts';

export interface SignedReceipt {
  readonly receipt: Receipt;
  readonly key: ReceiptKeyName;
  /** Whether the signature is that key's, over exactly this receipt. */
  readonly isGenuine: boolean;
}

const MAX_NAMES = 1000;
const MAX_NAME = 4096;
const id = pipe(string(), regex(/^[0-9a-f]{40}$/));
const name = pipe(
  string(),
  minLength(1),
  maxLength(MAX_NAME),
  check((text) => text.isWellFormed()),
);
const names = pipe(array(name), maxLength(MAX_NAMES));
const file = { path: name, before: id, after: id, added: names, removed: names };
const entry = union([
  object({
    ...file,
    kind: picklist(['SOPS', 'SealedSecret']),
    openedBy: names,
    values: pipe(number(), safeInteger(), minValue(0)),
  }),
  object({ ...file, kind: literal('rules') }),
]);
const document = object({
  schema: literal(RECEIPT_SCHEMA),
  parent: id,
  at: pipe(string(), regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)),
  agent: object({ namespace: pipe(string(), regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/)) }),
  keys: object({ old: names, made: names }),
  files: array(entry),
  signature: object({
    key: custom<ReceiptKeyName>((key) => typeof key === 'string' && isReceiptKeyName(key)),
    value: string(),
  }),
});

/** A receipt as a repository has it, which anybody may have written; or why the file is none. Pure. */
export function readReceipt(content: Uint8Array): SignedReceipt | string {
  if (content.length > LIMITS.maxReceiptBytes) return `it has more than ${LIMITS.maxReceiptBytes} bytes`;
  const parsed = safeParse(document, jsonOf(content), { abortEarly: true });
  if (!parsed.success) return 'it has not the form of one';
  const { parent, at, agent, keys, files, signature } = parsed.output;
  if (files.some(({ path }, index) => index > 0 && path <= (files[index - 1]?.path ?? '')))
    return 'its files are not in order, each once';
  const receipt: Receipt = { parent, at, namespace: agent.namespace, keys, files };
  const text = signedText(receipt);
  const value = Buffer.from(signature.value, 'base64');
  // What JSON reads past counts too: blanks, other escapes, a member twice or unknown, other base64 of the same bytes.
  if (!Buffer.concat([text, signatureText(signature.key, value)]).equals(content))
    return 'it is not written as sotto writes it';
  return { receipt, key: signature.key, isGenuine: isSignedBy(signature.key, text, value) };
}

/** Undefined for what is not JSON, and for what is nested deeper than a receipt is. */
function jsonOf(content: Uint8Array): unknown {
  if (isDeeper(content, MAX_DEPTH)) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content));
  } catch {
    return undefined;
  }
}

const MAX_DEPTH = 4;
