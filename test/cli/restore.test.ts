import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { secretsIn } from '../../src/cli/keys/backup.ts';
import { restoreSecrets } from '../../src/cli/keys/restore.ts';
import { fingerprintId, fingerprintKey } from '../../src/keys/fingerprint.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { type FakeHandler, sendJson, startFakeApi, statusOf } from '../kube/fake-api.ts';
import { refusal } from '../sops/fixtures.ts';

const SECRETS = '/api/v1/namespaces/team/secrets';
const INVENTORY = '/api/v1/namespaces/team/configmaps/sotto-inventory';

const key = randomBytes(48);
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const backed = (name: string, data: Readonly<Record<string, string>> = { 'age.agekey': base64(key) }) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, labels: { 'sotto.dev/use': 'keys' }, annotations: { 'sotto.dev/since': '2027-01-01T00:00:00Z' } },
  type: 'Opaque',
  data,
});

/** What a restore makes of a backup where these objects are there already. */
async function restored(items: readonly unknown[], live: Readonly<Record<string, unknown>> = {}) {
  const made: unknown[] = [];
  const handler: FakeHandler = ({ method, path, body }, response) => {
    if (method === 'POST') {
      const object = JSON.parse(body.toString()) as { readonly metadata: unknown };
      made.push(object);
      return sendJson(response, 201, { metadata: object.metadata });
    }
    if (path === '/apis') return sendJson(response, 200, {});
    const [kind = '', name = ''] = path.split('/').slice(-2);
    const found = live[path];
    if (found === undefined) return sendJson(response, 404, statusOf(404, 'NotFound', { details: { name, kind } }));
    sendJson(response, 200, found);
  };
  await using api = await startFakeApi(handler);
  const cluster = { transport: api.transport(), namespace: 'team', connection: api.connection };
  const list = Buffer.from(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  let said: unknown;
  const refused = await refusal(async () => {
    said = await restoreSecrets(cluster, secretsIn(list, 'keys.age'), new AbortController().signal);
  });
  return { said, code: refused.code, made };
}

describe('a backup of keys that is restored', () => {
  it('makes what is missing as it was, in the namespace that is named, and leaves what is there and the same', async () => {
    const [gone, there] = [backed('gone'), backed('there')];
    const live = { [`${SECRETS}/there`]: { ...there, metadata: { ...there.metadata, resourceVersion: '1' } } };
    expect(await restored([gone, there], live)).toEqual({
      said: { made: ['gone'], present: ['there'] },
      code: 'none',
      made: [{ ...gone, metadata: { ...gone.metadata, namespace: 'team' } }],
    });
  });

  it('makes nothing where a Secret holds something else', async () => {
    const live = { [`${SECRETS}/there`]: backed('there', { 'age.agekey': base64(randomBytes(48)) }) };
    expect(await restored([backed('gone'), backed('there')], live)).toMatchObject({ code: 'SOTTO-KEYS-067', made: [] });
  });

  it('brings back no fingerprint key but the one that the inventory was made with', async () => {
    const [now, before] = [randomBytes(32), randomBytes(32)];
    const id = fingerprintId(fingerprintKey(Sensitive.copyOf(now)));
    const inventory = { metadata: { name: 'sotto-inventory', annotations: { 'sotto.dev/fingerprint': id } } };
    const back = (bytes: Uint8Array) =>
      restored([backed('sotto-fingerprint', { key: base64(bytes) })], { [INVENTORY]: inventory });
    expect(await back(before)).toMatchObject({ code: 'SOTTO-KEYS-102', made: [] });
    expect(await back(now)).toMatchObject({ code: 'none', said: { made: ['sotto-fingerprint'] } });
  });

  it.each([
    ['no JSON', 'keys: []'],
    ['something else besides', JSON.stringify({ kind: 'List', items: [backed('a'), { kind: 'ConfigMap' }] })],
    ['text behind it', `${JSON.stringify({ kind: 'List', items: [backed('a')] })} {}`],
    ['cut off', JSON.stringify({ kind: 'List', items: [backed('a')] }).slice(0, -9)],
  ])('is none with %s', async (_, text) => {
    expect((await refusal(() => secretsIn(Buffer.from(text), 'keys.age'))).code).toBe('SOTTO-KEYS-062');
  });
});
