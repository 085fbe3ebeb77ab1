/** `ed25519:` and 32 bytes as base64: by whom receipts of rotations are signed, as files, status and settings name it. */
export type ReceiptKeyName = string & { readonly brand: 'ReceiptKeyName' };

const HEAD = 'ed25519:';

/** Base64 has several texts for some bytes; one of them counts. */
export function isReceiptKeyName(text: string): text is ReceiptKeyName {
  const bytes = publicBytesOf(text);
  return text.startsWith(HEAD) && bytes.length === 32 && `${HEAD}${bytes.toString('base64')}` === text;
}

/** The public key itself. */
export function publicBytesOf(name: string): Buffer {
  return Buffer.from(name.slice(HEAD.length), 'base64');
}
