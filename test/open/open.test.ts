import { beforeAll, describe, expect, it } from 'vitest';
import type { SourceDigest } from '../../src/core/ids.ts';
import { type SecretRef, secretRefs } from '../../src/core/closed.ts';
import { stringifyJson } from '../../src/core/json.ts';
import type { Opened } from '../../src/open/document.ts';
import { openFiles } from '../../src/open/open.ts';
import { Opener } from '../../src/open/opener.ts';
import { type KeyPair, encrypted, newKeyPair } from '../sops/fixtures.ts';
import { vectorKey, vectorManifest } from '../sealed/material.ts';

const SELECTOR = { selector: { kind: 'encrypted_regex', value: '^(data|stringData)$' } } as const;
const SECRETS = `apiVersion: v1
kind: Secret
metadata: { name: one }
stringData: { a: "first", b: "" }
---
apiVersion: v1
kind: Secret
metadata: { name: two }
stringData:
  c: "second"
`;

let keys: KeyPair;
beforeAll(async () => {
  keys = await newKeyPair();
});

interface Opening {
  readonly known?: ReadonlySet<SourceDigest>;
  readonly identities?: KeyPair['identities'];
}

/** Opens texts; counts what was opened to be checked. */
async function open(files: Readonly<Record<string, string | Uint8Array>>, options: Opening = {}) {
  const opened: string[] = [];
  const opener = new Opener(
    { ageIdentities: options.identities ?? keys.identities, sealingKeys: [vectorKey()] },
    { onVerified: (format, outcome) => opened.push(outcome === 'opened' ? format : `${format} failed`) },
  );
  const list = Object.entries(files).map(([path, content]) => ({ path, bytes: Buffer.from(content) }));
  const context = {
    namespace: 'default',
    opener,
    isKnown: (digest: SourceDigest) => options.known?.has(digest) === true,
  };
  return { ...(await openFiles(list, context)), opener, opened };
}

function names({ documents }: Opened): string[] {
  return documents.map(({ tree }) => {
    const metadata = tree['metadata'] as { readonly name?: unknown };
    return String(metadata.name);
  });
}

function refused({ refusals }: Opened): string[] {
  return refusals.map(
    ({ error, file, id }) => `${error.code} ${file}:${error.place.line ?? '?'} ${id?.kind ?? '-'}/${id?.name ?? '-'}`,
  );
}

describe('files of a snapshot', () => {
  it('are flat lists of documents, lists within lists included, each with its line', async () => {
    const text = `kind: ConfigMap
apiVersion: v1
metadata: { name: a }
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: { name: b }
- apiVersion: v1
  kind: ConfigMapList
  items:
  - apiVersion: v1
    kind: ConfigMap
    metadata: { name: c }
`;
    const result = await open({ 'a.yaml': text });
    expect(names(result)).toEqual(['a', 'b', 'c']);
    expect(result.documents.map(({ line }) => line)).toEqual([1, 8, 14]);
    expect(result.documents[2]?.lineAt(['metadata', 'name'])).toBe(16);
    expect(new Set(result.documents.map(({ digest }) => digest)).size).toBe(3);
  });

  it('stand or fall alone: one that is no YAML, no text or no object leaves the others as they are', async () => {
    const good = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: good }\n';
    const result = await open({
      'bad.yaml': 'a: [',
      'binary.yaml': Buffer.from([0xff, 0xfe, 0x00]),
      'good.yaml': good,
      'scalar.yaml': `${good}---\n- a list\n`,
    });
    expect(names(result)).toEqual(['good', 'good']);
    expect(refused(result).map((line) => line.split(':')[0])).toEqual([
      expect.stringMatching(/^SOTTO-YAML-\d+ bad\.yaml$/),
      'SOTTO-YAML-002 binary.yaml',
      'SOTTO-RENDER-002 scalar.yaml',
    ]);
  });
});

describe('a SOPS file', () => {
  it('becomes references, whose bytes are opened one by one', async () => {
    const result = await open({ 's.yaml': await encrypted(SECRETS, keys.recipient, SELECTOR) });
    expect([names(result), refused(result), result.opened]).toEqual([['one', 'two'], [], ['sops']]);
    expect(result.documents.map(({ encryption }) => encryption)).toEqual(['sops', 'sops']);
    const refs = result.documents.flatMap(({ tree }) => secretRefs(tree));
    expect(refs.map(({ path }) => path.join('.'))).toEqual(['stringData.a', 'stringData.c']);
    const values = await Promise.all(refs.map(async ({ ref }) => textOf(result.opener, ref)));
    expect(values).toEqual(['first', 'second']);
    expect(stringifyJson(JSON.parse(JSON.stringify(result.documents.map(({ tree }) => tree))) as never)).not.toMatch(
      /first|second/,
    );
  });

  it('that is known is not opened, and with one unknown document it is', async () => {
    const text = await encrypted(SECRETS, keys.recipient, SELECTOR);
    const first = await open({ 's.yaml': text });
    const digests = first.documents.map(({ digest }) => digest);
    expect((await open({ 's.yaml': text }, { known: new Set(digests) })).opened).toEqual([]);
    expect((await open({ 's.yaml': text }, { known: new Set(digests.slice(1)) })).opened).toEqual(['sops']);
    // A key that is not there is no matter for a file that was opened before.
    expect(refused(await open({ 's.yaml': text }, { known: new Set(digests), identities: [] }))).toEqual([]);
  });

  it('is refused as a whole, each object by its name, when it was changed or no key opens it', async () => {
    const text = await encrypted(SECRETS, keys.recipient, SELECTOR);
    const tampered = text.replace('name: two', 'name: too');
    const result = await open({ 's.yaml': tampered });
    expect([names(result), result.opened]).toEqual([[], ['sops failed']]);
    expect(result.refusals.map(({ id }) => id?.name)).toEqual(['one', 'too']);
    const noKey = await open({ 's.yaml': text }, { identities: [] });
    expect(noKey.refusals.map(({ id }) => `${id?.kind}/${id?.namespace}/${id?.name}`)).toEqual([
      'Secret/default/one',
      'Secret/default/two',
    ]);
  });

  it('that lost all its objects to a change is refused, not empty', async () => {
    const list = `apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Secret
  metadata: { name: one }
  stringData: { a: "first" }
`;
    const text = await encrypted(list, keys.recipient, SELECTOR);
    expect(names(await open({ 's.yaml': text }))).toEqual(['one']);
    const emptied = text.replace(/items:[\s\S]*?(?=\nsops:)/, 'items: []');
    const result = await open({ 's.yaml': emptied });
    expect(result.refusals.map(({ error, id }) => [error.code.slice(0, 10), id])).toEqual([['SOTTO-SOPS', undefined]]);
  });
});

describe('a SealedSecret', () => {
  it('becomes the Secret it makes, in a list too, and is opened once to be checked', async () => {
    const manifest = vectorManifest('strict');
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [manifest] });
    const result = await open({ 'l.json': list });
    expect([refused(result), result.opened]).toEqual([[], ['sealed']]);
    expect(result.documents.map(({ tree, encryption }) => [tree['kind'], encryption])).toEqual([['Secret', 'sealed']]);
    const known = new Set(result.documents.map(({ digest }) => digest));
    expect((await open({ 'l.json': list }, { known })).opened).toEqual([]);
  });

  it('that does not open protects the Secret of its name', async () => {
    const manifest = vectorManifest('strict');
    const moved = { ...manifest, metadata: { ...(manifest['metadata'] as object), name: 'moved' } };
    const result = await open({ 'm.json': JSON.stringify(moved) });
    expect(result.refusals.map(({ error, id }) => [error.code.slice(0, 10), id?.group, id?.kind, id?.name])).toEqual([
      ['SOTTO-SEAL', '', 'Secret', 'moved'],
    ]);
    expect(result.opened).toEqual(['sealed failed']);
  });
});

async function textOf(opener: Opener, ref: SecretRef): Promise<string> {
  using value = await opener.open(ref);
  return Buffer.from(value.reveal()).toString();
}
