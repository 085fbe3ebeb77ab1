import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SottoError } from '../../../src/core/errors.ts';
import type { Json } from '../../../src/core/json.ts';
import { isUtf8 } from '../../../src/sops/utf8.ts';
import { readManifests } from '../../../src/yaml/manifest.ts';
import { filledValues, issue, SECRET, secretOf } from './secrets.ts';

const b64 = (value: Uint8Array | string): string => Buffer.from(value).toString('base64');

/** The entry `k` once it is filled, or the code it is refused with. */
async function filled(
  entry: (token: string, other: string) => { readonly data?: string; readonly stringData?: string },
  value: Uint8Array,
  other: Uint8Array = Buffer.from('other'),
): Promise<Buffer | string> {
  const issued = issue([value, other]);
  const [token = '', second = ''] = issued.tokens;
  const { data, stringData } = entry(token, second);
  try {
    const tree = secretOf({
      ...(data === undefined ? {} : { data: { k: data } }),
      ...(stringData === undefined ? {} : { stringData: { k: stringData } }),
    });
    return (await filledValues(tree, issued))['k'] ?? 'missing';
  } catch (thrown) {
    if (!(thrown instanceof SottoError)) throw thrown;
    expect(thrown.text()).not.toContain(token);
    return thrown.code;
  }
}

const fold = (text: string): string => text.replace(/(.{10})/g, '$1\n');

describe('a secret is filled as the text around it asks for', () => {
  const v = Buffer.from('p "q"');
  it.each([
    ['stringData, whole', (t: string) => ({ stringData: t }), v],
    ['data, whole', (t: string) => ({ data: b64(t) }), v],
    ['data, folded as kustomize does it', (t: string) => ({ data: fold(b64(t)) }), v],
    ['other text', (t: string) => ({ stringData: `a=${t};` }), Buffer.from('a=p "q";')],
    ['other text under data', (t: string) => ({ data: b64(`a=${t};`) }), Buffer.from('a=p "q";')],
    [
      'base64 inside of text',
      (t: string) => ({ stringData: `Basic ${b64(`u:${t}`)}` }),
      Buffer.from(`Basic ${b64('u:p "q"')}`),
    ],
    ['base64 of base64', (t: string) => ({ stringData: b64(b64(t)) }), Buffer.from(b64(b64(v)))],
    [
      'base64 for URLs',
      (t: string) => ({ stringData: `x.${Buffer.from(`~~~${t}?`).toString('base64url')}` }),
      Buffer.from(`x.${Buffer.from('~~~p "q"?').toString('base64url')}`),
    ],
    ['JSON', (t: string) => ({ stringData: `{"a":"-${t}-"}` }), Buffer.from('{"a":"-p \\"q\\"-"}')],
    [
      'base64 in JSON',
      (t: string) => ({ stringData: `{"auth":"${b64(`u:${t}`)}"}` }),
      Buffer.from(`{"auth":"${b64('u:p "q"')}"}`),
    ],
    ['YAML, as it stands', (t: string) => ({ stringData: `a: ${t}\n` }), Buffer.from('a: p "q"\n')],
    ['YAML, in double quotes', (t: string) => ({ stringData: `a: "${t}"\n` }), Buffer.from('a: "p \\"q\\""\n')],
    ['YAML, in single quotes', (t: string) => ({ stringData: `a: '${t}'\n` }), Buffer.from('a: \'p "q"\'\n')],
    [
      'YAML, in a block',
      (t: string) => ({ stringData: `a: |\n  x ${t}\n  y\nb: 1\n` }),
      Buffer.from('a: |\n  x p "q"\n  y\nb: 1\n'),
    ],
    ['YAML, in a comment', (t: string) => ({ stringData: `a: b # ${t}\n` }), Buffer.from('a: b # p "q"\n')],
    [
      'twice, and with another one',
      (t: string, o: string) => ({ stringData: `${t}/${o}/${t}` }),
      Buffer.from('p "q"/other/p "q"'),
    ],
  ] as const)('%s', async (_name, entry, expected) => {
    expect(await filled(entry, v)).toEqual(expected);
  });

  it.each([
    ['a colon and a line break in YAML', (t: string) => ({ stringData: `a: ${t}\n` }), 'k: v\nx', 'a: "k: v\\nx"\n'],
    ['a number in YAML', (t: string) => ({ stringData: `a: ${t}\n` }), '0123', 'a: "0123"\n'],
    ['a word of YAML 1.1', (t: string) => ({ stringData: `a: [${t}]\n` }), 'yes', 'a: ["yes"]\n'],
    ['a comma in brackets', (t: string) => ({ stringData: `a: [${t}, b]\n` }), 'x, y', 'a: ["x, y", b]\n'],
    ['a quote in single quotes', (t: string) => ({ stringData: `a: 'x${t}'\n` }), "it's", 'a: "xit\'s"\n'],
    ['lines in a block', (t: string) => ({ stringData: `a: |\n  x ${t}\nb: 1\n` }), 'p\nq', 'a: "x p\\nq\\n"\nb: 1\n'],
    ['nothing in YAML', (t: string) => ({ stringData: `a: ${t}\n` }), '', 'a: ""\n'],
  ] as const)('%s is written so that it stays a string', async (_name, entry, value, expected) => {
    expect(String(await filled(entry, Buffer.from(value)))).toBe(expected);
  });

  it.each([
    ['bytes under stringData', (t: string) => ({ stringData: t }), Buffer.from([255, 0]), 'SOTTO-RENDER-046'],
    ['bytes in JSON', (t: string) => ({ data: b64(`{"a":"${t}"}`) }), Buffer.from([255]), 'SOTTO-RENDER-046'],
    ['bytes in YAML', (t: string) => ({ data: b64(`a: ${t}`) }), Buffer.from([255]), 'SOTTO-RENDER-046'],
    ['lines in a comment', (t: string) => ({ stringData: `a: b # ${t}\n` }), Buffer.from('x\ny'), 'SOTTO-RENDER-047'],
    ['a key of YAML', (t: string) => ({ stringData: `${t}: b\n` }), v, 'SOTTO-RENDER-047'],
    ['no base64 in data', (t: string) => ({ data: t }), v, 'SOTTO-RENDER-011'],
    ['joined under data', (t: string) => ({ data: `${t}x` }), v, 'SOTTO-RENDER-045'],
    ['base64 three times', (t: string) => ({ stringData: b64(b64(b64(`x${t}`))) }), v, undefined],
  ] as const)('%s: refused', async (_name, entry, value, code) => {
    const outcome = await filled(entry, value);
    // What is deeper than two layers is not seen: nothing is filled there, and a keyed digest is all that stands in it.
    if (code === undefined) expect(String(outcome)).not.toContain('p "q"');
    else expect(outcome).toBe(code);
  });

  it('a text that stands for itself under data is kept as text', async () => {
    expect(await filled((t) => ({ data: t }), Buffer.from(b64('hello')))).toEqual(Buffer.from('hello'));
  });
});

const READABLE = fc.stringMatching(/^[a-z][a-z0-9 ._/@-]{0,10}$/);

describe('any secret', () => {
  it('in any text that is neither JSON nor YAML is put there byte by byte', async () => {
    const wrapping = fc.constantFrom<readonly ((text: Uint8Array) => Uint8Array)[]>(
      [],
      [(text) => Buffer.from(b64(text))],
      [(text) => Buffer.from(b64(text)), (text) => Buffer.concat([Buffer.from('x:'), text])],
      [(text) => Buffer.from(b64(text)), (text) => Buffer.from(b64(text))],
    );
    await fc.assert(
      fc.asyncProperty(SECRET, SECRET, READABLE, wrapping, async (one, two, text, wraps) => {
        const issued = issue([one, two]);
        const [a = '', b = ''] = issued.tokens;
        const wrap = (bytes: Uint8Array): Buffer => Buffer.from(wraps.reduce((inner, each) => each(inner), bytes));
        const parts = (first: Uint8Array, second: Uint8Array) =>
          wrap(Buffer.concat([Buffer.from(`${text}=`), first, Buffer.from(';'), second]));
        const tree = secretOf({ data: { k: b64(parts(Buffer.from(a), Buffer.from(b))) } });
        expect((await filledValues(tree, issued))['k']).toEqual(parts(one, two));
      }),
    );
  });

  it('in a JSON text is the string that it is', async () => {
    await fc.assert(
      fc.asyncProperty(SECRET, fc.jsonValue({ maxDepth: 2 }), READABLE, async (value, rest, text) => {
        const clear = JSON.parse(JSON.stringify(rest)) as Json;
        const tree = (secret: string): Json => ({ rest: clear, list: [`${text}${secret}`, { [text]: secret }] });
        const outcome = await filled((token) => ({ stringData: JSON.stringify(tree(token)) }), value);
        if (!isUtf8(value)) {
          expect(outcome).toBe('SOTTO-RENDER-046');
          return;
        }
        expect(JSON.parse(String(outcome))).toEqual(tree(utf8(value)));
      }),
    );
  });

  it('in a YAML text is the string that it is, or is refused', async () => {
    const styles = fc.constantFrom<(text: string) => string>(
      (text) => `a: ${text}\nb: 1\n`,
      (text) => `a: pre${text}post\nb: 1\n`,
      (text) => `a: "x ${text}"\nb: 1\n`,
      (text) => `a: '${text} x'\nb: 1\n`,
      (text) => `a: |\n  ${text}\n  more\nb: 1\n`,
      (text) => `a: |-\n  x ${text}\nb: 1\n`,
      (text) => `a: >\n  x\n  ${text}\n\nb: 1\n`,
      (text) => `a: [${text}, {c: ${text}}]\nb: 1\n`,
      (text) => `- ${text}\n- - x\n  - ${text}\n`,
      (text) => `a:\n  - b: x\n    c: "x\n      ${text}"\n`,
    );
    await fc.assert(
      fc.asyncProperty(SECRET, styles, async (value, style) => {
        const outcome = await filled((token) => ({ stringData: style(token) }), value);
        if (!isUtf8(value)) {
          expect(outcome).toBe('SOTTO-RENDER-046');
          return;
        }
        const placeholder = 'PLACEHOLDER';
        const [wanted] = readManifests(style(placeholder), 'f.yaml');
        const expected = replaced(wanted?.value ?? null, placeholder, utf8(value));
        expect(readManifests(String(outcome), 'f.yaml').map((each) => each.value)).toEqual([expected]);
      }),
      { numRuns: 400 },
    );
  });
});

/** A byte order mark is part of a value. */
function utf8(value: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(value);
}

function replaced(value: Json, placeholder: string, by: string): Json {
  if (typeof value === 'string') return value.replaceAll(placeholder, () => by);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item: Json) => replaced(item, placeholder, by));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaced(item, placeholder, by)]));
}
