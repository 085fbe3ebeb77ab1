import { randomFillSync } from 'node:crypto';
import { rfc3339 } from '../core/clock.ts';
import { ownedBytes } from '../core/sensitive.ts';
import { type Splice, spliceText } from '../yaml/splice.ts';
import type { BlockFields } from './block.ts';
import { bytesOf, pathAad, sealEnc } from './cipher.ts';
import { commentPaths } from './comment-path.ts';
import { DATA_KEY_BYTES, DataKey } from './data-key.ts';
import { type DocumentPlan, type PlainValue, planText } from './encrypt-plan.ts';
import { insertBlock, replaceScalar } from './encrypt-splice.ts';
import { type KnownEntries, sourceOf } from './known.ts';
import { macText, ONLY_ENCRYPTED_PREFIX } from './mac.ts';
import type { SopsFormat } from './scalar.ts';
import { refuseSaying } from './selection.ts';
import { compileSelector, DEFAULT_SELECTOR, type Selector, type Selects } from './selector.ts';
import { checkedGroups, type KeyGroups, wrapForGroups } from './wrap.ts';

/** The version of sops whose behaviour is written; readers want one in the file. */
export const SOPS_VERSION = '3.13.3';

export interface EncryptOptions {
  readonly format: SopsFormat;
  /** What errors call the text. */
  readonly file: string;
  /** age recipients, at least one; or keys of any kind in groups. */
  readonly recipients: readonly string[] | KeyGroups;
  /** Default: everything but keys that end in `_unencrypted`. */
  readonly selector?: Selector | undefined;
  readonly macOnlyEncrypted?: boolean;
  readonly now: Date;
}

/**
 * Encrypts a file so that sops and sotto open it. The values and comments that the selector covers are replaced in
 * the text, the sops block is added to each document, aliases for what is encrypted are
 * written out, and every other character stays. Throws SottoError.
 */
export async function encryptSops(clear: string, options: EncryptOptions): Promise<string> {
  const { file, format, selector = DEFAULT_SELECTOR, macOnlyEncrypted = false } = options;
  const selects = compileSelector(selector, { file });
  const { text, plans } = planText(clear, { format, file, selects });
  return withNewKey(options, selector, async ({ dataKey, block }) => {
    const fields = await block(
      macOf(
        plans.flatMap((plan) => plan.values),
        macOnlyEncrypted,
      ),
    );
    const splices: Splice[] = [];
    for (const plan of plans) {
      splices.push(...(await contentSplices(text, plan, { file, selects, dataKey })));
      splices.push(insertBlock(text, plan.document, plan.map, format, fields));
    }
    return spliceText(text, splices);
  });
}

export interface NewKey {
  readonly dataKey: DataKey;
  /** The sops block of the file; the MAC is wiped. */
  readonly block: (mac: Uint8Array<ArrayBuffer>) => Promise<BlockFields>;
}

/** Makes a data key for one file, wraps it for the recipients, and drops it when the file is made. */
export async function withNewKey<T>(
  options: Omit<EncryptOptions, 'format'>,
  selector: Selector | undefined,
  make: (key: NewKey) => Promise<T>,
): Promise<T> {
  const keys = checkedGroups(options.recipients, options.file);
  const dataKeyBytes = randomFillSync(ownedBytes(DATA_KEY_BYTES));
  try {
    using dataKey = await DataKey.from(dataKeyBytes);
    const lastModified = rfc3339(options.now);
    const block = async (mac: Uint8Array<ArrayBuffer>): Promise<BlockFields> => {
      const fields: BlockFields = {
        groups: await wrapForGroups(dataKeyBytes, keys, lastModified),
        threshold: keys.threshold,
        lastModified,
        mac: await sealEnc(mac, 'str', bytesOf(lastModified), dataKey.key),
        macOnlyEncrypted: options.macOnlyEncrypted ?? false,
        selector,
        version: SOPS_VERSION,
      };
      mac.fill(0);
      return fields;
    };
    return await make({ dataKey, block });
  } finally {
    dataKeyBytes.fill(0);
  }
}

export interface Sealing {
  readonly file: string;
  readonly selects: Selects;
  readonly dataKey: DataKey;
  /** What keeps its ciphertext where it did not change. */
  readonly known?: KnownEntries;
}

/** Puts ciphertext in the place of the values and comments of a document that are selected. */
export async function contentSplices(text: string, plan: DocumentPlan, sealing: Sealing): Promise<Splice[]> {
  const values = await valueSplices(text, plan, sealing);
  return [...values, ...(await commentSplices(text, plan, sealing))];
}

export function macOf(values: readonly PlainValue[], macOnlyEncrypted: boolean): Uint8Array<ArrayBuffer> {
  const counted = values
    .filter(({ selected }) => selected || !macOnlyEncrypted)
    .map(({ value }) => bytesOf(value.text));
  const plaintext = Buffer.concat([macOnlyEncrypted ? ONLY_ENCRYPTED_PREFIX : Buffer.alloc(0), ...counted]);
  const mac = macText(plaintext);
  for (const bytes of [plaintext, ...counted]) bytes.fill(0);
  return mac;
}

async function valueSplices(text: string, plan: DocumentPlan, { dataKey, known }: Sealing): Promise<Splice[]> {
  const splices: Splice[] = [];
  for (const { scalar, value, path, selected } of plan.values) {
    // Empty values stay as they are: there is no empty ciphertext (spec 3.1).
    if (!selected || value.text === '') continue;
    const token = known?.take([
      known.keyOf('source', path, sourceOf(text.slice(scalar.start, scalar.end))),
      known.keyOf(`value ${value.type}`, path, bytesOf(value.text)),
    ]);
    const sealed = token ?? (await sealText(value.text, value.type, path, dataKey));
    splices.push(...replaceScalar(text, scalar, sealed));
  }
  return splices;
}

async function commentSplices(text: string, plan: DocumentPlan, sealing: Sealing): Promise<Splice[]> {
  const { file, selects, dataKey, known } = sealing;
  const paths = commentPaths(text, plan.document);
  const splices: Splice[] = [];
  for (const [index, place] of plan.document.comments.entries()) {
    const path = paths[index]?.[0] ?? [];
    const { start, end } = place;
    const comment = text.slice(start + 1, end);
    if (comment === '' || !plan.selection.comment(place, path)) continue;
    const token = known?.take((paths[index] ?? []).map((each) => known.keyOf('comment', each, bytesOf(comment))));
    const by = token ?? `#${await sealText(comment, 'comment', path, dataKey)}`;
    refuseSaying(selects, by.slice(1), file);
    splices.push({ start, end, by });
  }
  return splices;
}

async function sealText(
  text: string,
  type: Exclude<PlainValue['value']['type'], 'null'> | 'comment',
  path: readonly string[],
  dataKey: DataKey,
): Promise<string> {
  const plaintext = bytesOf(text);
  try {
    return await sealEnc(plaintext, type, pathAad(path), dataKey.key);
  } finally {
    plaintext.fill(0);
  }
}
