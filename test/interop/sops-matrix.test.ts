import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Json, memberAt } from '../../src/core/json.ts';
import { type AgeIdentity, parseAgeIdentities } from '../../src/sops/age.ts';
import { decryptFile, openForChange } from '../../src/sops/change.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { parseIni } from '../../src/sops/ini.ts';
import type { WholeFormat } from '../../src/sops/scalar.ts';
import { SELECTOR_KINDS, type Selector } from '../../src/sops/selector.ts';
import { readManifests } from '../../src/yaml/manifest.ts';
import { describeReal } from '../harness/real.ts';
import { type AgeKeyPair, newAgeKeyPair, stockOutput } from '../harness/stock.ts';

// Every selector, in every format, on every type of value, in both directions. Each value stands twice: once where the
// selector wants it encrypted, once where it does not.

/** What the selector says of keys that end in `_on` and `_off`, and of comments before them. */
const VALUES: Readonly<Record<Selector['kind'], string>> = {
  unencrypted_suffix: '_off',
  encrypted_suffix: '_on',
  unencrypted_regex: '_off$',
  encrypted_regex: '_on$',
  unencrypted_comment_regex: '^ stays open',
  encrypted_comment_regex: '^ is sealed',
};

interface Typed {
  /** The type in `ENC[…,type:…]`; undefined for what is never encrypted. */
  readonly type: string | undefined;
  readonly yaml: string;
  readonly json?: string;
  readonly flat?: string;
}

const TYPES: Readonly<Record<string, Typed>> = {
  text: { type: 'str', yaml: 'plain text', json: '"plain text"', flat: 'plain text' },
  odd: {
    type: 'str',
    yaml: '"tab\\t quote\\" é 😀 <&>"',
    json: '"tab\\t quote\\" é \\ud83d\\ude00 <&>"',
    flat: 'é 😀 <&>',
  },
  lines: { type: 'str', yaml: '|\n    one\n      two\n', json: '"one\\n  two\\n"', flat: 'one\\ntwo' },
  looks: { type: 'str', yaml: '"0777"', json: '"0777"', flat: '0777' },
  binary: { type: 'str', yaml: '!!binary aGVsbG8=' },
  int: { type: 'int', yaml: '-7', json: '-7' },
  long: { type: 'int', yaml: '9223372036854775807', json: '9007199254740993' },
  octal: { type: 'int', yaml: '0777' },
  float: { type: 'float', yaml: '2.50', json: '2.50' },
  large: { type: 'float', yaml: '1e21', json: '1e21' },
  small: { type: 'float', yaml: '1e-7', json: '1e-7' },
  infinite: { type: 'float', yaml: '-.inf' },
  bool: { type: 'bool', yaml: 'TRUE', json: 'true' },
  day: { type: 'time', yaml: '2024-01-01' },
  moment: { type: 'time', yaml: '2001-12-14t21:59:43.10-05:00' },
  nothing: { type: undefined, yaml: 'null', json: 'null' },
  empty: { type: undefined, yaml: '""', json: '""', flat: '' },
  noMap: { type: undefined, yaml: '{}', json: '{}' },
  noList: { type: undefined, yaml: '[]', json: '[]' },
};

const SIDES = [
  ['on', ' is sealed'],
  ['off', ' stays open'],
] as const;

const CONTENT: Readonly<Record<WholeFormat, string>> = {
  yaml: yamlContent(),
  json: jsonContent(),
  dotenv: SIDES.flatMap(([side, comment]) =>
    flatTypes().map(([name, flat]) => `#${comment}\n${name}_${side}=${flat}\n`),
  ).join(''),
  ini: SIDES.map(([side, comment]) => {
    const keys = flatTypes().map(([name, flat]) => `;${comment}\n${name} = ${flat}\n`);
    return `;${comment}\n[s_${side}]\n${keys.join('')}`;
  }).join('\n'),
  binary: 'any\r\nbytes \u0000 \ufeff é',
};

function flatTypes(): [string, string][] {
  return Object.entries(TYPES).flatMap(([name, { flat }]) => (flat === undefined ? [] : [[name, flat]]));
}

function yamlContent(): string {
  const sides = SIDES.map(([side, comment]) => {
    const entries = Object.entries(TYPES);
    const top = entries.map(([name, { yaml }]) => `#${comment}\n${name}_${side}: ${yaml.trimEnd()}\n`);
    const map = entries.map(([name, { yaml }]) => `    ${name}: ${yaml.trimEnd().replaceAll('\n', '\n    ')}\n`);
    const list = entries.map(([, { yaml }]) => `    - ${yaml.trimEnd().replaceAll('\n', '\n    ')}\n`);
    return `${top.join('')}#${comment}\nmap_${side}:\n${map.join('')}#${comment}\nlist_${side}:\n${list.join('')}`;
  });
  return sides.join('');
}

function jsonContent(): string {
  const values = Object.entries(TYPES).flatMap(([name, { json }]) => (json === undefined ? [] : [[name, json]]));
  const entries = SIDES.flatMap(([side]) => [
    ...values.map(([name, json]) => `"${name}_${side}": ${json}`),
    `"map_${side}": {${values.map(([name, json]) => `"${name}": ${json}`).join(', ')}}`,
    `"list_${side}": [${values.map(([, json]) => json).join(', ')}]`,
  ]);
  return `{\n${entries.join(',\n')}\n}\n`;
}

const ENDING: Readonly<Record<WholeFormat, string>> = {
  yaml: 'yaml',
  json: 'json',
  dotenv: 'env',
  ini: 'ini',
  binary: 'bin',
};

/** What the editor of a stock edit does to a file, and what is there then. */
const EDITS: Readonly<Record<WholeFormat, readonly [command: string, added: RegExp]>> = {
  yaml: [`printf 'added_on: by hand\\n' >>`, /^added_on: by hand$/m],
  json: [`sed -i '1s/{/{"added_on":"by hand",/'`, /^\t"added_on": "by hand",$/m],
  dotenv: [`printf 'added_on=by hand\\n' >>`, /^added_on=by hand$/m],
  ini: [`printf 'added_on = by hand\\n' >>`, /^added_on += by hand$/m],
  binary: [`printf 'by hand' >>`, /by hand$/],
};

const CELLS = (['yaml', 'json', 'dotenv', 'ini', 'binary'] as const).flatMap((format) =>
  SELECTOR_KINDS.map((kind) => ({ format, kind })),
);

describeReal('each selector in each format on each type of value', ['sops', 'age-keygen'], () => {
  let folder: string;
  let pair: AgeKeyPair;
  let identities: readonly AgeIdentity[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-matrix-'));
    pair = await newAgeKeyPair();
    identities = parseAgeIdentities(Buffer.from(pair.identity));
    for (const kind of SELECTOR_KINDS) {
      const rule = JSON.stringify({ [kind]: VALUES[kind], age: pair.recipient });
      writeFileSync(join(folder, `${kind}.rules`), `creation_rules: [${rule}]\n`);
    }
    writeFileSync(join(folder, 'plain.rules'), `creation_rules: [{ age: ${pair.recipient} }]\n`);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function stock(args: readonly string[], editor = ''): Promise<string> {
    const env = { SOPS_AGE_KEY: pair.identity, HOME: folder, EDITOR: editor };
    return (await stockOutput('sops', args, { env, cwd: folder })).toString();
  }

  const put = (file: string, text: string): string => {
    writeFileSync(join(folder, file), text);
    return file;
  };

  async function opened(text: string, format: WholeFormat): Promise<string> {
    using clear = await decryptFile(text, format, 'f', identities);
    return Buffer.from(clear.reveal()).toString();
  }

  /** As stock lays it out: sotto leaves what it does not open as somebody wrote it. */
  async function asStockWrites(clear: string, format: WholeFormat): Promise<string> {
    const file = put(`laid-out.${ENDING[format]}`, clear);
    return stock(['decrypt', put(file, await stock(['--config', 'plain.rules', 'encrypt', file]))]);
  }

  async function bothSealed(format: WholeFormat, kind: Selector['kind']): Promise<{ stock: string; sotto: string }> {
    const file = put(`clear.${ENDING[format]}`, CONTENT[format]);
    const sotto = await encryptFile(Buffer.from(CONTENT[format]), {
      format,
      file,
      recipients: [pair.recipient],
      selector: { kind, value: VALUES[kind] },
      now: new Date(),
    });
    return { stock: await stock(['--config', `${kind}.rules`, 'encrypt', file]), sotto };
  }

  it.each(CELLS)('$format, $kind: the same is encrypted, under the same types', async ({ format, kind }) => {
    const sealed = await bothSealed(format, kind);
    const ofSotto = shapeOf(sealed.sotto, format);
    expect(ofSotto).toEqual(shapeOf(sealed.stock, format));
    if (format !== 'yaml' && format !== 'json') return;
    // A comment selector finds no comment in JSON.
    const isBlind = format === 'json' && kind.endsWith('comment_regex');
    for (const [side] of SIDES) {
      const wanted = isBlind ? kind.startsWith('unencrypted') : side === 'on';
      for (const [name, { type, ...texts }] of Object.entries(TYPES)) {
        if (texts[format] === undefined) continue;
        for (const path of [[`${name}_${side}`], [`map_${side}`, name]]) {
          const value = memberAt(Array.isArray(ofSotto) ? ofSotto[0] : undefined, ...path);
          expect([path.join('.'), typeof value === 'string' && value.startsWith('ENC ') ? value : 'clear']).toEqual([
            path.join('.'),
            wanted && type !== undefined ? `ENC ${type}` : 'clear',
          ]);
        }
      }
    }
  });

  it.each(CELLS)('$format, $kind: each opens what the other sealed, to the same text', async ({ format, kind }) => {
    const sealed = await bothSealed(format, kind);
    const truth = await stock(['decrypt', put(`by-stock.${ENDING[format]}`, sealed.stock)]);
    expect(await stock(['decrypt', put(`by-sotto.${ENDING[format]}`, sealed.sotto)])).toBe(truth);
    for (const text of [sealed.stock, sealed.sotto]) {
      expect(await asStockWrites(await opened(text, format), format)).toBe(truth);
    }
  });

  it.each(CELLS)(
    '$format, $kind: stock edits and rotates what sotto wrote, and sotto what came of it',
    async (cell) => {
      const { format, kind } = cell;
      const file = `on.${ENDING[format]}`;
      put(file, (await bothSealed(format, kind)).sotto);
      const before = await stock(['decrypt', file]);
      const [command, added] = EDITS[format];
      put('editor.sh', `${command} "$1"\n`);
      await stock(['edit', file], `sh ${join(folder, 'editor.sh')}`);
      const edited = await stock(['decrypt', file]);
      expect(edited).toMatch(added);
      expect(edited.length).toBeGreaterThan(before.length);
      const read = (): string => readFileSync(join(folder, file), 'utf8');
      expect(await asStockWrites(await opened(read(), format), format)).toBe(edited);
      await stock(['rotate', '-i', file]);
      expect(await stock(['decrypt', file])).toBe(edited);
      expect(await asStockWrites(await opened(read(), format), format)).toBe(edited);
      using open = await openForChange(read(), format, file, identities);
      const clear = Buffer.from(open.clear.reveal()).toString();
      const changed = await open.sealed(Buffer.from(clear.replace('by hand', 'by sotto')), new Date());
      expect(await stock(['decrypt', put(file, changed)])).toBe(edited.replace('by hand', 'by sotto'));
    },
  );
});

/** What is in clear and what is encrypted under which type, without ciphertext and the sops block. */
function shapeOf(sealed: string, format: WholeFormat): Json {
  const marked = sealed.replace(/ENC\[[^\]]*,type:(\w+)\]/g, 'ENC $1');
  if (format === 'dotenv') return marked.replace(/^sops_.*\n/gm, '').split('\n');
  if (format === 'ini') {
    return parseIni(marked, 'f')
      .filter(({ name }) => name !== 'sops')
      .map(({ name, comment = '', keys }) => [
        name,
        comment,
        ...keys.map((key) => [key.name, key.value, key.comment ?? '']),
      ]);
  }
  const text = marked.replace(/^(\s*(?:\w+: |- ))-\.inf$/gm, '$1infinite');
  return readManifests(text, `f.${format === 'binary' ? 'json' : format}`).map(({ value }) => withoutBlock(value));
}

/** Stock keeps the comments of a list as its elements, which sotto leaves comments, and spells times anew. */
function withoutBlock(value: Json): Json {
  if (Array.isArray(value)) {
    return value.filter((item) => item !== 'ENC comment').map((item) => withoutBlock(item));
  }
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\d/.test(value)) return new Date(value).toISOString();
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([name]) => name !== 'sops');
  return Object.fromEntries(kept.map(([name, child]) => [name, withoutBlock(child)]));
}
