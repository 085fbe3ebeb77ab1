import { LOCAL_LIMITS } from '../yaml/limits.ts';
import { rfc3339 } from '../core/clock.ts';
import type { Sensitive } from '../core/sensitive.ts';
import { type Splice, spliceText } from '../yaml/splice.ts';
import { changeable, type ChangeableSops, notTheSame, textOfBytes, type Unwrap } from './changeable.ts';
import { bytesOf, sealEnc } from './cipher.ts';
import type { DataKey } from './data-key.ts';
import { openTree } from './decrypt.ts';
import { contentSplices, macOf } from './encrypt.ts';
import { type DocumentPlan, planEncryption, planText } from './encrypt-plan.ts';
import { parseDocuments, parseSopsTree, type SopsTree } from './file.ts';
import { KnownEntries } from './known.ts';
import { insertOldBlock, oldBlock } from './old-block.ts';
import type { SopsFormat } from './scalar.ts';
import { compileSelector, type Selects } from './selector.ts';

/** A YAML or JSON file opened to be changed. */
export async function openTreeForChange(
  text: string,
  format: SopsFormat,
  file: string,
  unwrap: Unwrap,
): Promise<ChangeableSops> {
  const tree = parseSopsTree(text, format, file, LOCAL_LIMITS);
  const { metadata } = tree;
  const dataKey = await unwrap({ file, metadata });
  const known = new KnownEntries();
  const { clear, blocksAt } = await openTree({ text, format, file, tree }, dataKey, known);
  const old: Old = { text, format, file, tree, dataKey, known, tails: [] };
  return changeable({
    metadata,
    dataKey,
    clear,
    sealed: (changed, now) =>
      sealChanged({ ...old, tails: tailsOf(clear, blocksAt, old) }, textOfBytes(changed, file), now),
  });
}

interface Old {
  readonly text: string;
  readonly format: SopsFormat;
  readonly file: string;
  readonly tree: SopsTree;
  readonly dataKey: DataKey;
  readonly known: KnownEntries;
  /** What stands behind the sops block of each document, in clear. */
  readonly tails: readonly string[];
}

function tailsOf(clear: Sensitive, blocksAt: readonly (number | undefined)[], { format, file }: Old): string[] {
  const text = Buffer.from(clear.reveal()).toString('utf8');
  const documents = parseDocuments(text, format, file, LOCAL_LIMITS);
  return blocksAt.map((at, index) => {
    const end = documents[index]?.end;
    return at === undefined || end === undefined ? '' : text.slice(at, end);
  });
}

async function sealChanged(old: Old, changed: string, now: Date): Promise<string> {
  const { format, file, tree, dataKey, known } = old;
  const { selector, macOnlyEncrypted } = tree.metadata;
  known.reset();
  const selects = compileSelector(selector, { file, line: tree.metadata.line, key: `sops.${selector.kind}` });
  const { text: clear, plans } = planText(changed, { format, file, selects });
  const lastModified = rfc3339(now);
  const mac = macOf(
    plans.flatMap((plan) => plan.values),
    macOnlyEncrypted,
  );
  const stamp = { lastModified, mac: await sealEnc(mac, 'str', bytesOf(lastModified), dataKey.key) };
  mac.fill(0);
  const blocks = tree.documents.map(({ document }) => oldBlock(old.text, document, stamp));
  const splices: Splice[] = [];
  for (const [index, plan] of plans.entries()) {
    splices.push(...(await contentSplices(clear, plan, { file, selects, dataKey, known })));
    const block = blocks[index] ?? blocks[0];
    if (block === undefined) throw new TypeError('the sops block of a file that was opened is gone');
    const tail = old.tails[index] ?? '';
    splices.push(insertOldBlock(clear, { document: plan.document, map: plan.map, tail }, format, block));
  }
  const sealed = spliceText(clear, splices);
  await checkSealed(old, sealed, plans);
  return sealed;
}

/** What was written is opened again before it is handed out: its MAC must fit, and its values be those asked for. */
async function checkSealed(old: Old, sealed: string, plans: readonly DocumentPlan[]): Promise<void> {
  const { format, file, dataKey } = old;
  const tree = parseSopsTree(sealed, format, file, LOCAL_LIMITS);
  const opened = await openTree({ text: sealed, format, file, tree }, dataKey);
  using clear = opened.clear;
  const text = Buffer.from(clear.reveal()).toString('utf8');
  const again = planEncryption(parseDocuments(text, format, file, LOCAL_LIMITS), {
    text,
    format,
    file,
    selects: EVERYTHING,
  });
  if (digestOf(again) !== digestOf(plans)) throw notTheSame(file);
}

const EVERYTHING: Selects = { by: 'key', encrypts: () => true };

function digestOf(plans: readonly DocumentPlan[]): string {
  return JSON.stringify(plans.map(({ values }) => values.map(({ path, value }) => [path, value.type, value.text])));
}
