import { describe, expect, it } from 'vitest';
import { bytesOf, openEnc, pathAad, sealEnc } from '../../src/sops/cipher.ts';
import { DataKey } from '../../src/sops/data-key.ts';
import { type Enc, parseEnc } from '../../src/sops/enc.ts';
import { planEncryption } from '../../src/sops/encrypt-plan.ts';
import { parseDocuments } from '../../src/sops/file.ts';
import { macText, ONLY_ENCRYPTED_PREFIX } from '../../src/sops/mac.ts';
import { compileSelector, DEFAULT_SELECTOR } from '../../src/sops/selector.ts';

// Vectors of the file format, made by the cipher and tree packages of sops with a data key of 32 times 0x66.
const KEY = bytesOf('f'.repeat(32));
const VECTORS: readonly (readonly [string, string, string])[] = [
  [
    'bar:',
    'ENC[AES256_GCM,data:oYyi,iv:MyIDYbT718JRr11QtBkcj3Dwm4k1aCGZBVeZf0EyV8o=,tag:t5z2Z023Up0kxwCgw1gNxg==,type:str]',
    'foo',
  ],
  [
    ':',
    'ENC[AES256_GCM,data:zUbyl3o=,iv:fjSl44LM9yvw0kXGMeFlxy2pfS08wQ40u20m8g+Stx8=,tag:ESmQfvAWkT73IPekHzPeqQ==,type:comment]',
    ' note',
  ],
  [
    'i:',
    'ENC[AES256_GCM,data:dw==,iv:DFL5i3nz0zxFmWsV8lOKfmmgE4u8GyelEpFOK8ZO+7U=,tag:PCptSSC4/Bkgee7gC3oHQw==,type:int]',
    '7',
  ],
  [
    'f:',
    'ENC[AES256_GCM,data:ZidF,iv:NiA5s1Nh5uj7PQ46TrwfT6FNntP4ngAPT7+lEeywC9U=,tag:3FiU5q3tRiH/m8Ohetym0A==,type:float]',
    '2.5',
  ],
  [
    'b:',
    'ENC[AES256_GCM,data:IS48hQ==,iv:OwrP2hqfIEJzeSwRfR2E6iwImgEVwCWVNjWtrTAqWF8=,tag:CVAF8Xs6vP9z7jWFbWOntQ==,type:bool]',
    'True',
  ],
  [
    't:',
    'ENC[AES256_GCM,data:Su8OCT4kF65XsdRbwnhbU9wH9sM=,iv:+O75Of5Eu7yck0GGebx+sKYM3hE8GzGMA9l+QeWDkus=,tag:ACUrHHG/7SnkZWvkzyq/5w==,type:time]',
    '2024-01-01T00:00:00Z',
  ],
  [
    'm:l:',
    'ENC[AES256_GCM,data:Gg==,iv:IL6rV8MIkPuMloBSAACknjEvxstZUDAZeMMvP/yqyZ8=,tag:mRB+nwY2SCFYWx53cRGuKg==,type:str]',
    'x',
  ],
  [
    'm:l:k:',
    'ENC[AES256_GCM,data:Ww==,iv:f3IFAURGKWENas2rkXM00XeFILv8Krv2UFocGgQLwj4=,tag:s8NNgKqwUCw3PUL1C50MAA==,type:str]',
    'y',
  ],
];

function encOf(text: string): Enc {
  const enc = parseEnc(text);
  if (enc === undefined) throw new Error('no encrypted value');
  return enc;
}

async function openText(text: string, aad: string): Promise<string | undefined> {
  using dataKey = await DataKey.from(KEY);
  const opened = await openEnc(encOf(text), bytesOf(aad), dataKey.key);
  return opened === undefined ? undefined : Buffer.from(opened).toString();
}

describe('the cipher', () => {
  it.each(VECTORS)('opens the vector of %s', async (aad, text, plaintext) => {
    expect(await openText(text, aad)).toBe(plaintext);
  });

  it.each(VECTORS)('refuses the vector of %s at another place', async (aad, text) => {
    expect(await openText(text, aad === 'bar:' ? '' : 'bar:')).toBeUndefined();
  });

  it('opens what it seals, with a nonce of 32 bytes', async () => {
    using dataKey = await DataKey.from(KEY);
    const text = await sealEnc(bytesOf('välue'), 'str', pathAad(['a', 'b']), dataKey.key);
    expect(Buffer.from(encOf(text).iv, 'base64')).toHaveLength(32);
    expect(await openText(text, 'a:b:')).toBe('välue');
  });
});

describe('the MAC', () => {
  const text = '# note\ni: 7\nf: 2.50\nb: true\nt: 2024-01-01\nm: {l: [x, {k: y}]}\nn: null\ne: ""\np_unencrypted: z\n';
  const values = planEncryption(parseDocuments(text, 'yaml', 'a.yaml'), {
    text,
    format: 'yaml',
    file: 'a.yaml',
    selects: compileSelector(DEFAULT_SELECTOR, {}),
  })[0]?.values;

  it('of the document of the specification is known', () => {
    const covered = values?.map(({ value }) => value.text).join('') ?? '';
    expect(covered).toBe('72.5True2024-01-01T00:00:00Zxyz');
    expect(Buffer.from(macText(bytesOf(covered))).toString()).toBe(
      '9F982CB3DE30C09D48AC119CBAB3DD8D1C59AC2E3C97A8419F6A000F91F8EF6E0527BDCE79AC3FDFC5577E470AEA245184F4E35DABD2084190E5CB94F7F713DB',
    );
  });

  it('over encrypted values only is known as well', () => {
    const covered = values?.filter(({ selected }) => selected).map(({ value }) => value.text) ?? [];
    const bytes = Buffer.concat([ONLY_ENCRYPTED_PREFIX, bytesOf(covered.join(''))]);
    expect(Buffer.from(macText(bytes)).toString()).toBe(
      '59D0101CECA7FBA4B7D1FCAD5147609594161CFCA6F497252E189F346B61ED39C58D7732A24884015BC69984BAD5CDD6AF8667B75543CC9E8219C36DEE3421B2',
    );
  });
});

describe('the form of an encrypted value', () => {
  const comment = VECTORS[1]?.[1] ?? '';

  it('may have text behind it, as sops lets it', () => {
    expect(parseEnc(`${comment} trailing\nmore]`)).toEqual(parseEnc(comment));
  });

  it.each([
    ['another cipher', comment.replace('AES256_GCM', 'AES128_GCM')],
    ['an unknown type', comment.replace('comment', 'secret')],
    ['no data', comment.replace('zUbyl3o=', '')],
    ['URL-safe base64', comment.replace('g+Stx8', 'g-Stx8')],
    ['a short tag', comment.replace('ESmQfvAWkT73IPekHzPeqQ==', 'ESmQ')],
    ['padding cut off', comment.replace('zUbyl3o=', 'zUbyl3o')],
    ['something before it', ` ${comment}`],
    ['no end', comment.slice(0, -1)],
    ['nothing', ''],
    ['parts in another order', 'ENC[AES256_GCM,data:eA==,tag:AA==,iv:AA==,type:str]'],
  ])('is refused with %s', (_name, text) => {
    expect(parseEnc(text)).toBeUndefined();
  });
});
