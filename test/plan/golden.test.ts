import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { foreignOwner, isEqualButOwnership, notAdopted, ownerOf } from '../../src/apply/first-contact.ts';
import { whyNotRecreated } from '../../src/apply/recreate.ts';
import type { ClosedObject } from '../../src/core/closed.ts';
import { SottoError } from '../../src/core/errors.ts';
import { displayObject, type ObjectKey, objectIdOf, objectKey, type SourceDigest } from '../../src/core/ids.ts';
import { arrayAt, canonicalJson, isJsonObject, type Json, member, memberAt, stringAt } from '../../src/core/json.ts';
import type { ClosedDocument } from '../../src/open/document.ts';
import { EMPTY_INVENTORY, type InventoryRow } from '../../src/plan/inventory.ts';
import { isKept } from '../../src/plan/keep.ts';
import { type ApplyStep, plan } from '../../src/plan/plan.ts';
import { render } from '../../src/render/render.ts';
import { parseSettings } from '../../src/settings/parse.ts';
import type { SyncSettings } from '../../src/settings/settings.ts';
import { readManifests } from '../../src/yaml/manifest.ts';
import { row } from '../agent/fixture.ts';
import { SET_ID } from '../drift/objects.ts';

/*
 * A plan from YAML to text. A case has `sync` (settings of it), `applied` (objects as they were applied last), `live`
 * (objects as they are now; what was applied and is not listed is as it was) and `git`. Files in golden/: NAME.yaml in,
 * NAME.txt out. Whether a live object is equal is what the API server would say; here its fields are compared.
 */
const FOLDER = join(import.meta.dirname, 'golden');
const CLUSTER_SCOPED = new Set(['Namespace', 'ClusterRole']);

const SETTINGS = `apiVersion: sotto.dev/v1alpha1
kind: Config
plaintextSecrets: allow
syncs:
- name: app
  source: { git: { url: "https://git.example.com/app.git", ref: { branch: main } } }
  path: .
`;

function syncOf(given: Json): SyncSettings {
  const text = SETTINGS + (stringAt(given, 'sync') ?? '').replace(/^(?=.)/gm, '  ');
  const parsed = parseSettings(text, 'sotto.yaml');
  const sync = parsed.ok ? parsed.settings.syncs[0] : undefined;
  if (sync === undefined) throw new Error(parsed.ok ? 'no sync' : parsed.problems.join('\n'));
  return sync;
}

function digestOf(object: Json): SourceDigest {
  return canonicalJson(object) as SourceDigest;
}

function keyOf(object: Json): ObjectKey {
  const [group = ''] = /^(.*)\//.exec(stringAt(object, 'apiVersion') ?? '')?.slice(1) ?? [];
  const [kind, name] = [stringAt(object, 'kind') ?? '', stringAt(object, 'metadata', 'name') ?? ''];
  return objectKey({ group, kind, namespace: 'team', name });
}

function rowsOf(given: Json): Map<ObjectKey, InventoryRow> {
  const rows = arrayAt(given, 'applied').map((object) =>
    row('', '', {
      key: keyOf(object),
      apiVersion: stringAt(object, 'apiVersion') ?? '',
      sync: 'app',
      file: 'git.yaml',
      digest: digestOf(object),
      keep: isKept(object as ClosedObject),
    }),
  );
  return new Map(rows.map((each) => [each.key, each]));
}

function planText(text: string): string {
  const given = readManifests(text, 'case.yaml')[0]?.value ?? null;
  const sync = syncOf(given);
  const rows = rowsOf(given);
  const live = new Map(arrayAt(given, 'live').map((object) => [keyOf(object), object]));
  const gone = new Set(arrayAt(given, 'deleted').map(String));
  const documents = arrayAt(given, 'git').map((object, index): ClosedDocument => {
    const tree = object as ClosedObject;
    return {
      file: 'git.yaml',
      line: index + 1,
      tree,
      encryption: 'none',
      digest: digestOf(object),
      lineAt: () => index,
    };
  });
  const desired = render(documents, {
    targetNamespace: 'team',
    plaintextSecrets: 'allow',
    skip: sync.skip,
    vetoes: {
      lifted: [],
      agentNamespace: 'team',
      targetNamespace: 'team',
      accounts: ['sotto'],
      namedSecrets: new Set(),
      markedSecrets: new Set(),
    },
    isNamespaced: (_apiVersion, kind) => (kind === 'Unknown' ? undefined : !CLUSTER_SCOPED.has(kind)),
  });
  const decided = plan({
    sync: 'app',
    revision: 'main@sha1:1',
    desired,
    refusals: [],
    inventory: { ...EMPTY_INVENTORY, rows },
    inventoryLost: member(given, 'inventory') === 'lost',
    prune: { ...sync.prune, maxShare: sync.prune.maxSharePercent / 100 },
    pruneWaits: undefined,
    approval: undefined,
    live: (key) => {
      if (gone.has(displayObject(objectIdOf(key)))) return 'absent';
      return live.has(key) ? 'unsure' : 'in-sync';
    },
    isPaused: (key) => arrayAt(given, 'paused').includes(displayObject(objectIdOf(key))),
    claimedBy: () => undefined,
    wantedBy: () => undefined,
  });
  const steps = (decided.held?.steps ?? decided.steps).map((step) =>
    step.action === 'prune' ? `prune ${displayObject(step.id)}` : applyLine(step, live.get(step.object.key), sync),
  );
  return [
    ...(decided.held === undefined ? [] : [`hold everything: ${decided.held.error.code} ${decided.held.error.why}`]),
    ...steps,
    ...decided.waiting.map(({ error }) => `keep ${error.place.object}: ${error.code}`),
    ...decided.released.map((key) => `keep ${displayObject(objectIdOf(key))}: asked for`),
    ...[...desired.refusals, ...decided.refusals].map(({ error }) => `refuse ${error.place.object}: ${error.code}`),
    `${decided.unchanged} unchanged, ${decided.paused} paused`,
    '',
  ].join('\n');
}

function applyLine({ object, reason, contact }: ApplyStep, live: Json | undefined, { adopt }: SyncSettings): string {
  const name = displayObject(object.id);
  if (live === undefined) return contact === 'first' ? `create ${name}` : `update ${name}: ${reason}`;
  if (contact === 'first') return contactLine(name, object.tree, live, adopt);
  const isFrozen = memberAt(live, 'immutable') === true || object.id.kind === 'Job';
  if (!isFrozen) return `update ${name}: ${reason}`;
  const error = new SottoError({ code: 'SOTTO-KUBE-010', what: 'w', why: 'w', next: 'n' });
  const why = whyNotRecreated(object, live, { kind: 'failed', again: false, error, immutableFields: ['data'] });
  return why === undefined ? `recreate ${name}: ${reason}` : `refuse ${name}: ${why.code}`;
}

function contactLine(name: string, tree: ClosedObject, live: Json, adopt: SyncSettings['adopt']): string {
  const owner = ownerOf(member(live, 'metadata'), SET_ID);
  if (owner.kind === 'other') return `refuse ${name}: ${foreignOwner(owner, SET_ID).code} ${owner.name}`;
  if (owner.kind === 'ours') return `update ${name}: ours already`;
  const fieldsOf = { ...tree, metadata: {} };
  const isEqual = isEqualButOwnership({ ...(isJsonObject(live) ? live : {}), metadata: {} }, fieldsOf);
  if (adopt === 'always' || (adopt === 'equal' && isEqual)) return `adopt ${name}: ${isEqual ? 'equal' : 'asked for'}`;
  return `refuse ${name}: ${notAdopted('').code}`;
}

describe('a plan', () => {
  const names = readdirSync(FOLDER).flatMap((file) => /^(.*)\.yaml$/.exec(file)?.[1] ?? []);
  it.for(names)('%s', (name) => {
    const [given, expected] = ['yaml', 'txt'].map((type) => readFileSync(join(FOLDER, `${name}.${type}`), 'utf8'));
    expect(planText(given ?? '')).toBe(expected);
  });
});
