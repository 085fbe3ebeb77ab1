import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openWhatFits } from '../../src/agent/preview/open-files.ts';
import { goneObjects, planSyncs, type SyncPlan, type SyncWish } from '../../src/agent/preview/plan-syncs.ts';
import { immutableChange, keyChanges, metadataChanges, secretOwners } from '../../src/agent/preview/secret.ts';
import { yieldedBefore, yieldedNow } from '../../src/agent/preview/yielded.ts';
import { MAX_CONTESTED } from '../../src/apply/dry-run.ts';
import { SottoError } from '../../src/core/errors.ts';
import { type JsonObject, stringAt } from '../../src/core/json.ts';
import type { Refusal } from '../../src/core/refusal.ts';
import { EMPTY_SET } from '../../src/drift/fields.ts';
import { Opener } from '../../src/open/opener.ts';
import type { InventoryRow } from '../../src/plan/inventory.ts';
import type { DesiredObject } from '../../src/render/desired.ts';
import type { SyncSettings } from '../../src/settings/settings.ts';
import { entry, GUARD, live, ours } from '../drift/objects.ts';
import { vectorKey, vectorManifest } from '../sealed/material.ts';
import { encrypted, newKeyPair } from '../sops/fixtures.ts';
import { keyOf, row, setOf, syncSettings, wanted } from './fixture.ts';
import { damaged } from '../harness/damage.ts';

const data = (...keys: readonly string[]): JsonObject => ({
  'f:data': Object.fromEntries(keys.map((key) => [`f:${key}`, {}])),
});
const tree = (keys: readonly string[], more: JsonObject = {}) => ({
  data: Object.fromEntries(keys.map((key) => [key, 'eA=='])),
  ...more,
});
const owners = (...entries: readonly JsonObject[]) => secretOwners(live('Secret', {}, entries));

describe('the keys of a Secret', () => {
  it('come and go by ownership, and change by what a trial was refused for', () => {
    const held = owners(ours(data('a', 'gone', 'shared')), entry('kubectl-edit', data('tls.crt', 'shared', 'theirs')));
    const changes = keyChanges(tree(['a', 'tls.crt', 'fresh']), held, ['.data.tls.crt', '.metadata.labels.x']);
    expect(Object.fromEntries(changes.map(({ key, change }) => [key, change]))).toEqual({
      a: 'same',
      'tls.crt': 'changed',
      fresh: 'added',
      gone: 'removed',
    });
  });

  it('are the same only when the trial named everything that it was refused for', () => {
    const named = fc.uniqueArray(fc.stringMatching(/^[a-z.]{1,8}$/), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(named, fc.nat(40), fc.boolean(), (keys, count, isOneHidden) => {
        const contested = [...keys.slice(0, count).map((key) => `.data.${key}`), ...(isOneHidden ? [''] : [])];
        const answered = contested.slice(0, MAX_CONTESTED);
        for (const { key, change } of keyChanges(tree(keys), owners(ours(data(...keys))), answered)) {
          const differs = contested.includes(`.data.${key}`);
          if (change === 'same') expect(differs).toBe(false);
          if (answered.includes(`.data.${key}`)) expect(change).toBe('changed');
          expect(['same', 'changed', 'unknown']).toContain(change);
        }
      }),
      { numRuns: 200, seed: 20_261_128 },
    );
  });

  it('are unknown without a key, and without a record of who owns what', () => {
    expect(keyChanges(tree(['a', 'b']), owners(ours(data('a'))), undefined)).toEqual([
      { key: 'a', change: 'unknown' },
      { key: 'b', change: 'added' },
    ]);
    expect(keyChanges(tree(['a']), owners(), [])).toEqual([{ key: 'a', change: 'unknown' }]);
  });

  it('stand beside immutable, which is public', () => {
    const owned = owners(ours({ 'f:immutable': {} }));
    const path = '/immutable';
    expect(immutableChange(tree([], { immutable: true }), owners(ours({})), [])).toEqual([
      { path, before: undefined, after: true },
    ]);
    expect(immutableChange(tree([], { immutable: true }), owned, ['.immutable'])).toEqual([
      { path, before: false, after: true },
    ]);
    expect(immutableChange(tree([], { immutable: true }), owned, [])).toEqual([]);
    expect(immutableChange(tree([]), owned, [])).toEqual([{ path, before: false, after: undefined }]);
    expect(immutableChange(tree([]), owners(entry('x', { 'f:immutable': {} })), [])).toEqual([]);
  });

  it('are not in the metadata that is compared without a key, nor is what repeats the object', () => {
    const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
    const metadata = { labels: { kept: '1', gone: '1', theirs: '1' }, annotations: { [lastApplied]: 'live-value' } };
    const entries = [
      ours({ 'f:metadata': { 'f:labels': { 'f:kept': {}, 'f:gone': {} } } }),
      entry('kubectl-label', { 'f:metadata': { 'f:labels': { 'f:theirs': {} } } }),
    ];
    const held = live('Secret', { metadata }, entries);
    const git = {
      metadata: { name: 'x', labels: { kept: '2', fresh: '1' }, annotations: { [lastApplied]: 'git-value' } },
    };
    expect(metadataChanges(git, held, secretOwners(held))).toEqual([
      { path: '/metadata/labels/fresh', before: undefined, after: '1' },
      { path: '/metadata/labels/gone', before: '1', after: undefined },
      { path: '/metadata/labels/kept', before: '1', after: '2' },
    ]);
  });
});

describe('fields that the agent leaves to others', () => {
  const replicas = { 'f:spec': { 'f:replicas': {} } };
  const both = { 'f:spec': { 'f:replicas': {}, 'f:paused': {} } };
  const tried = live('Deployment', {}, [ours(both)]);
  const id = { group: 'apps', kind: 'Deployment', namespace: 'team', name: 'x' };
  const asked = async (taker: JsonObject | undefined, count: number, autoscaled: boolean) => {
    const held = live('Deployment', { spec: { replicas: count } }, [
      ours({ 'f:spec': { 'f:paused': {} } }),
      ...(taker === undefined ? [] : [taker]),
    ]);
    return yieldedNow({
      live: held,
      tried,
      before: EMPTY_SET,
      id,
      policy: GUARD,
      isAutoscaled: () => Promise.resolve(autoscaled),
    });
  };

  it('are those that an autoscaler took, and not those that a person did', async () => {
    const hpa = entry('kube-controller-manager', replicas, { subresource: 'scale' });
    expect(await asked(hpa, 7, false)).toEqual([['f:spec', 'f:replicas']]);
    expect(await asked(entry('kubectl-scale', replicas, { subresource: 'scale' }), 7, false)).toEqual([]);
    expect(await asked(undefined, 0, true)).toEqual([['f:spec', 'f:replicas']]);
    expect(await asked(undefined, 0, false)).toEqual([]);
  });

  it('are none where the record of them cannot be read', () => {
    expect(yieldedBefore(undefined)).toBe(EMPTY_SET);
    expect(yieldedBefore(row('ConfigMap', 'a', { yielded: Uint8Array.of(1, 2, 3) }))).toBe(EMPTY_SET);
  });
});

const refusal = (file: string, id?: DesiredObject['id']): Refusal => ({
  error: new SottoError({ code: 'SOTTO-YAML-001', what: 'w', why: 'y', next: 'n', file }),
  file,
  id,
});
const wish = (sync: SyncSettings, objects: readonly DesiredObject[], more: Partial<SyncWish> = {}): SyncWish => ({
  sync,
  desired: setOf(...objects),
  refusals: [],
  unopened: new Map(),
  ...more,
});
const plans = (wishes: readonly SyncWish[], rows: readonly InventoryRow[]): SyncPlan[] =>
  planSyncs(wishes, { rows: new Map(rows.map((each) => [each.key, each])), rowsLost: false, live: () => 'unsure' });
const told = (planned: readonly SyncPlan[], first?: Refusal): string[] =>
  planned.flatMap((each) =>
    goneObjects(each, first, () => true).map((found) => {
      if (found.kind === 'held') return `held ${found.prunes}`;
      if (found.kind === 'kept') return `kept ${found.object} ${found.error?.code ?? found.why}`;
      return found.kind === 'prune' ? `prune ${found.object}` : found.kind;
    }),
  );
const rowsOf = (...names: readonly string[]): InventoryRow[] => names.map((name) => row('ConfigMap', name));

describe('the plan of a preview', () => {
  const a = syncSettings('a');
  const b = syncSettings('b');
  const stays = wanted('ConfigMap', 'stays');
  it('prunes what left Git, and nothing that another sync wants or that moved to it', () => {
    const moved = wanted('ConfigMap', 'moved');
    const planned = plans([wish(a, [stays]), wish(b, [moved])], rowsOf('stays', 'moved', 'left'));
    expect(told(planned)).toEqual(['prune ConfigMap/left']);
    expect(planned.map(({ applies }) => applies.map(({ object }) => object.id.name))).toEqual([['stays'], ['moved']]);
  });

  it('gives an object that two syncs want to the one that has it, or to the first', () => {
    const both = wanted('ConfigMap', 'both');
    const fresh = wanted('ConfigMap', 'fresh');
    const planned = plans([wish(b, [both, fresh]), wish(a, [both, fresh])], rowsOf('both'));
    expect(planned.map(({ applies }) => applies.map(({ object }) => object.id.name))).toEqual([['fresh'], ['both']]);
    const codes = planned.flatMap(({ decided }) => decided.refusals.map(({ error }) => error.code));
    expect(codes).toEqual(['SOTTO-RENDER-007', 'SOTTO-RENDER-007']);
  });

  it('says why each of the others stays', () => {
    const rows = [
      ...rowsOf('stays', 'left'),
      row('PersistentVolumeClaim', 'data'),
      row('ConfigMap', 'annotated', { keep: true }),
      row('ConfigMap', 'skipped'),
    ];
    const skipped = { id: { ...stays.id, name: 'skipped' }, file: 'a/skipped.yaml', why: 'named by skip' };
    const some = { desired: { ...setOf(stays), skipped: [skipped] } };
    expect(told(plans([wish(a, [], some)], rows))).toEqual([
      'prune ConfigMap/left',
      'kept PersistentVolumeClaim/data SOTTO-PLAN-008',
      'kept ConfigMap/annotated an annotation of its manifest asks that it stays',
      'kept ConfigMap/skipped named by skip',
    ]);
    const off = { ...a, prune: { ...a.prune, enabled: false } };
    expect(told(plans([wish(off, [stays])], rowsOf('stays', 'left')))).toEqual([
      'kept ConfigMap/left prune is off for this sync',
    ]);
    const unread = wish(a, [stays], { refusals: [refusal('a/left.yaml')] });
    expect(told(plans([unread], rowsOf('stays', 'left', 'other')))).toEqual([
      'kept ConfigMap/other SOTTO-PLAN-007',
      'kept ConfigMap/left a/left.yaml is refused, so it is not certain what it holds',
    ]);
    const own = wish(a, [stays], { refusals: [refusal('a/left.yaml', { ...stays.id, name: 'left' })] });
    expect(told(plans([own], rowsOf('stays', 'left')))).toEqual([]);
  });

  it('keeps everything that left Git while something of it would be refused, and tells a plan that would be held', () => {
    const planned = plans([wish(a, [stays])], rowsOf('stays', 'left'));
    expect(told(planned, refusal('a/stays.yaml'))).toEqual(['kept ConfigMap/left SOTTO-PLAN-007']);
    const many = Array.from({ length: 9 }, (_, index) => `c${index}`);
    const held = plans([wish(a, [stays])], rowsOf('stays', ...many));
    expect(told(held)).toEqual(['held 9', ...many.map((name) => `prune ConfigMap/${name}`)]);
    expect(held[0]?.applies.map(({ object }) => object.key)).toEqual([keyOf('ConfigMap', 'stays')]);
  });
});

describe('files of which no key at hand opens some', () => {
  const secret = 'apiVersion: v1\nkind: Secret\nmetadata: { name: one }\nstringData: { a: first }\n';
  const plain = '---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: plain }\n';

  it('have their structure, with what was missing, and damage is damage all the same', async () => {
    const [mine, other] = [await newKeyPair(), await newKeyPair()];
    const selector = { selector: { kind: 'encrypted_regex', value: '^stringData$' } } as const;
    const opens = await encrypted(secret, mine.recipient, selector);
    const files = {
      'opens.yaml': opens,
      'closed.yaml': await encrypted(secret.replace('one', 'two'), other.recipient, selector),
      'damaged.yaml': damaged(opens),
      'mixed.yaml': `${plain}---\n${JSON.stringify(vectorManifest('strict'))}\n${plain.replace('plain', 'last')}`,
      'bad.yaml': 'a: [',
    };
    const list = Object.entries(files).map(([path, text]) => ({ path, bytes: Buffer.from(text) }));
    using opener = new Opener({ ageIdentities: mine.identities, sealingKeys: [] });
    const opened = await openWhatFits(list, { namespace: 'default', opener });
    const shown = opened.documents.map(({ file, tree: closed, digest }) => {
      return `${file} ${stringAt(closed, 'kind')} ${opened.unopened.get(digest)?.code ?? 'open'}`;
    });
    expect(shown).toEqual([
      'opens.yaml Secret open',
      'closed.yaml Secret SOTTO-AGE-001',
      'mixed.yaml ConfigMap open',
      'mixed.yaml Secret SOTTO-SEAL-001',
      'mixed.yaml ConfigMap open',
    ]);
    expect(opened.refusals.map(({ file }) => file)).toEqual(['damaged.yaml', 'bad.yaml']);
    using full = new Opener({ ageIdentities: [...mine.identities, ...other.identities], sealingKeys: [vectorKey()] });
    expect((await openWhatFits(list, { namespace: 'default', opener: full })).unopened.size).toBe(0);
  });
});
