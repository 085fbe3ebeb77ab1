/**
 * A process for the memory scan: closes encrypted files, puts their tokens into all kinds of texts, fills and wipes, and
 * waits to be killed. Its input is what an agent has: files as they are in Git, and an identity.
 */
import { BodyBuffer } from '../../../src/apply/body.ts';
import { fillBody } from '../../../src/apply/fill.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { Opener } from '../../../src/open/opener.ts';
import { secretTree } from '../../../src/render/secret.ts';
import { closeFile, type EncryptedFile } from '../../../src/render/tokens/content.ts';
import { closeRendered } from '../../../src/render/tokens/rendered.ts';
import { TokenTable } from '../../../src/render/tokens/table.ts';
import { parseAgeIdentities } from '../../../src/sops/age.ts';
import { documentOf, testKey } from './secrets.ts';

export interface FillerInput {
  readonly identity: string;
  readonly files: readonly (Omit<EncryptedFile, 'bytes'> & { readonly text: string })[];
}

const b64 = (text: string): string => Buffer.from(text).toString('base64');
const TEXTS: readonly ((token: string) => string)[] = [
  (token) => token,
  (token) => `postgres://app:${token}@db`,
  (token) => `{"a":{"b":"${token}"}}`,
  (token) => `a: ${token}\nb: [${token}]\nc: "x ${token}"\nd: |\n  ${token}\n`,
  (token) => `Basic ${b64(`u:${token}`)}`,
];

async function fillAll({ identity, files }: FillerInput): Promise<number> {
  using opener = new Opener({ ageIdentities: parseAgeIdentities(Buffer.from(identity)), sealingKeys: [] });
  const context = { key: testKey(), opener, recall: () => undefined };
  const lane = new BodyBuffer();
  let bytes = 0;
  for (const { text, ...file } of files) {
    const { entries } = await closeFile({ ...file, bytes: Buffer.from(text) }, context);
    const data = entries.flatMap(({ token }, at) =>
      TEXTS.map((textOf, form): [string, string] => [`k${at}-${form}`, b64(textOf(token))]),
    );
    const secret: JsonObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's' },
      data: Object.fromEntries(data),
    };
    const { objects, refused } = closeRendered([secret], new TokenTable(entries));
    if (refused[0] !== undefined) throw refused[0].error;
    for (const { tree } of objects) {
      const body = await fillBody(secretTree(tree, documentOf(tree), 'allow'), opener, lane);
      bytes += body.length;
      lane.wipe();
    }
  }
  return bytes;
}

let input = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (piece: string) => {
  input += piece;
});
process.stdin.on('end', () => {
  fillAll(JSON.parse(input) as FillerInput).then(
    (bytes) => process.stdout.write(`filled ${bytes}\n`),
    (error: unknown) => process.stdout.write(`failed ${String(error)}\n`),
  );
  setInterval(() => input.length, 60_000);
});
