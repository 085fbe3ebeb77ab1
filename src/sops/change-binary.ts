import { rfc3339 } from '../core/clock.ts';
import { copySecret, ownedBytes } from '../core/sensitive.ts';
import { parseJsonTree } from '../yaml/json-tree.ts';
import { spliceText } from '../yaml/splice.ts';
import { entryOf, type YamlNode } from '../yaml/tree.ts';
import { changeable, type ChangeableSops, notTheSame, type Unwrap } from './changeable.ts';
import { bytesOf, pathAad, sealEnc } from './cipher.ts';
import type { DataKey } from './data-key.ts';
import { macText, ONLY_ENCRYPTED_PREFIX } from './mac.ts';
import { BINARY_KEY } from './sops-key.ts';
import { openCheckedWhole, SopsWhole } from './whole.ts';

/** A binary file opened to be changed: all of it is one value. */
export async function openBinaryForChange(text: string, file: string, unwrap: Unwrap): Promise<ChangeableSops> {
  const whole = new SopsWhole(text, 'binary', file);
  const { metadata } = whole;
  const dataKey = await unwrap({ file, metadata });
  return changeable({
    metadata,
    dataKey,
    clear: await openCheckedWhole(whole, dataKey),
    sealed: async (changed, now) => {
      const lastModified = rfc3339(now);
      const mac = binaryMac(changed, metadata.macOnlyEncrypted);
      const { root } = parseJsonTree(text, { file });
      const block = entryOf(root, 'sops')?.value;
      const replaced: readonly (readonly [YamlNode | undefined, string])[] = [
        [entryOf(root, BINARY_KEY)?.value, await sealBinary(changed, dataKey)],
        [block && fieldOf(block, 'lastmodified'), lastModified],
        [block && fieldOf(block, 'mac'), await sealEnc(mac, 'str', bytesOf(lastModified), dataKey.key)],
      ];
      const splices = replaced.flatMap(([node, by]) =>
        node === undefined ? [] : [{ start: node.start, end: node.end, by: `"${by}"` }],
      );
      const sealed = spliceText(text, splices);
      using again = await openCheckedWhole(new SopsWhole(sealed, 'binary', file), dataKey);
      if (!Buffer.from(again.reveal().buffer).equals(changed)) throw notTheSame(file);
      return sealed;
    },
  });
}

/** `ENC[…]`; the empty text of an empty file, for there is no empty ciphertext. */
export async function sealBinary(bytes: Uint8Array, dataKey: DataKey): Promise<string> {
  if (bytes.length === 0) return '';
  const own = ownedBytes(bytes.length);
  copySecret(bytes, own);
  try {
    return await sealEnc(own, 'str', pathAad([BINARY_KEY]), dataKey.key);
  } finally {
    own.fill(0);
  }
}

export function binaryMac(bytes: Uint8Array, macOnlyEncrypted: boolean): Uint8Array<ArrayBuffer> {
  if (!macOnlyEncrypted) return macText(bytes);
  const plaintext = Buffer.concat([ONLY_ENCRYPTED_PREFIX, bytes]);
  const mac = macText(plaintext);
  plaintext.fill(0);
  return mac;
}

function fieldOf(block: YamlNode, name: string): YamlNode | undefined {
  if (block.kind !== 'map') return undefined;
  return block.entries.find(({ key }) => key.kind === 'scalar' && key.text.toLowerCase() === name)?.value;
}
