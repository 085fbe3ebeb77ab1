import { generateKeyPairSync } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { awsKeysIn, awsKeysOf, azureClientIn, gcpAccountIn } from '../../src/services/credential-file.ts';
import { fieldsOf, fieldsOfSection } from '../../src/services/fields.ts';

const shown = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString();
const read = (text: string): Record<string, string | undefined> | undefined => {
  const fields = fieldsOf(Buffer.from(text));
  return fields && Object.fromEntries([...fields].map(([name, value]) => [name, shown(value)]));
};

describe('a credential file', () => {
  it.each([
    ['a: 1\nb: two\n', { a: '1', b: 'two' }],
    ['---\n# why\na: "x y"\r\n\r\nb: \'z\'   \n"c": d # e\n', { a: 'x y', b: 'z', c: 'd' }],
    ['a:\n', { a: '' }],
    [' {"a": "1", "b": {"c": "d"}, "e": "f\\n"} ', { a: '1', e: 'f\\n' }],
  ])('is flat YAML or a JSON object of texts: %j', (text, fields) => {
    expect(read(text)).toEqual(fields);
  });

  it.each([
    'a: |\n  x\n',
    'a: &b x\n',
    'a: "b\\n"\n',
    'a: [x]\n',
    '- a: b\n',
    'a\n',
    '{"a": ',
    '  a: b\n  c: d\n e: f\n',
  ])('is nothing else: %j', (text) => {
    const fields = read(text);
    expect(fields === undefined || Object.keys(fields).length === 0 || text.startsWith('  ')).toBe(true);
  });

  it('has sections where the program of AWS wrote it', () => {
    const text =
      '[default]\naws_access_key_id = AKIA1\naws_secret_access_key=a=b\n\n[ other ]\naws_access_key_id=AKIA2\n';
    const of = (section: string) => fieldsOfSection(Buffer.from(text), section);
    expect(shown(of('default')?.get('aws_secret_access_key'))).toBe('a=b');
    expect(shown(of('other')?.get('aws_access_key_id'))).toBe('AKIA2');
    expect(of('third')).toBeUndefined();
  });

  it('of AWS is keys, or a reason without a word of it', () => {
    const keys = awsKeysIn(
      Buffer.from('aws_access_key_id: AKIAEXAMPLE\naws_secret_access_key: "a/b+c"\naws_session_token: t==\n'),
    );
    if (typeof keys === 'string') throw new Error(keys);
    expect(keys.accessKeyId).toBe('AKIAEXAMPLE');
    expect([shown(keys.secretAccessKey.reveal()), shown(keys.sessionToken?.reveal())]).toEqual(['a/b+c', 't==']);
    expect(JSON.stringify(keys)).not.toContain('a/b+c');
    for (const text of [
      '',
      'aws_access_key_id: AKIA',
      'aws_access_key_id: a b\naws_secret_access_key: s3cret',
      'aws_access_key_id: AKIAEXAMPLE\naws_secret_access_key: s3cret x',
      's3cret',
    ]) {
      const why = awsKeysIn(Buffer.from(text));
      expect(why).toBeTypeOf('string');
      expect(why).not.toContain('s3cret');
    }
  });

  it('of a service account of Google Cloud is its key, or a reason without a word of it', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const file = { type: 'service_account', private_key_id: '01', private_key: pem, client_email: 'a@b.example' };
    const account = gcpAccountIn(Buffer.from(`\n${JSON.stringify(file, null, 2)}\n`));
    if (typeof account === 'string') throw new Error(account);
    expect(account.email).toBe('a@b.example');
    expect(account.privateKey.export({ type: 'pkcs8', format: 'pem' })).toBe(pem);
    const cases = [
      { ...file, type: 'authorized_user' },
      { ...file, private_key: pem.replaceAll('A', 'B') },
      { ...file, private_key: 'hunter2' },
      { ...file, client_email: 'a b' },
      { type: 'service_account' },
      ['hunter2'],
    ];
    for (const each of cases) {
      const why = gcpAccountIn(Buffer.from(JSON.stringify(each)));
      expect(why).toBeTypeOf('string');
      expect(why).not.toMatch(/hunter2|BEGIN/);
    }
    fc.assert(fc.property(fc.string(), (text) => typeof gcpAccountIn(Buffer.from(text)) === 'string'));
  });

  it('of an application of Azure is its secret, in the words of Flux or of az, or a reason without a word of it', () => {
    for (const text of [
      'tenantId: t-1\nclientId: c-1\nclientSecret: "a8Q~x"\n',
      '{"appId": "c-1", "displayName": "sops", "password": "a8Q~x", "tenant": "t-1"}',
    ]) {
      const client = azureClientIn(Buffer.from(text));
      if (typeof client === 'string') throw new Error(client);
      expect(client).toMatchObject({ tenantId: 't-1', clientId: 'c-1', authorityHost: undefined });
      expect(shown(client.clientSecret.reveal())).toBe('a8Q~x');
    }
    const good = { tenantId: 't', clientId: 'c', clientSecret: 'a8Q~x' };
    for (const file of [
      { ...good, tenantId: '../t' },
      { ...good, clientId: 'c/d' },
      { ...good, clientSecret: 'a8Q~x y' },
      { ...good, authorityHost: 'a b' },
      { tenantId: 't', clientId: 'c', clientCertificate: 'a8Q~x' },
    ]) {
      const why = azureClientIn(Buffer.from(JSON.stringify(file)));
      expect(why).toBeTypeOf('string');
      expect(why).not.toContain('a8Q~');
    }
    fc.assert(fc.property(fc.string(), (text) => typeof azureClientIn(Buffer.from(text)) === 'string'));
  });

  it('of any bytes is read or refused, and no header ends in the middle of a key', () => {
    const line = fc.tuple(
      fc.constantFrom('aws_access_key_id', 'aws_secret_access_key', 'aws_session_token', 'x'),
      fc.string(),
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(line).map((lines) => lines.map(([name, value]) => `${name}: ${value}`).join('\n')),
    );
    fc.assert(
      fc.property(text, (written) => {
        const keys = awsKeysIn(Buffer.from(written));
        if (typeof keys !== 'string') expect(shown(keys.secretAccessKey.reveal())).toMatch(/^[!-~]+$/);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const fields = fieldsOfSection(bytes, 'default');
        expect(fields === undefined || awsKeysOf(fields) !== undefined).toBe(true);
      }),
    );
  });
});
