import { describe, expect, it } from 'vitest';
import type { ClosedObject } from '../../src/core/closed.ts';
import { objectKey, type SourceDigest } from '../../src/core/ids.ts';
import type { RestartMark } from '../../src/plan/inventory.ts';
import { mustRestart, restartCase, restartTrouble } from '../../src/plan/restart.ts';
import type { DesiredObject } from '../../src/render/desired.ts';
import { row, wanted } from '../agent/fixture.ts';

const WISH = { 'sotto.dev/restart-on-change': 'true' };

interface Shape {
  readonly kind?: string;
  readonly annotations?: ClosedObject;
  readonly template?: ClosedObject;
  readonly image?: string;
}

/** A workload that runs as account `bot` and reads Secret `db`, ConfigMap `app` and Secret `elsewhere`, which the sync has not. */
function workload({
  kind = 'Deployment',
  annotations = WISH,
  template = {},
  image = 'i:1',
}: Shape = {}): DesiredObject {
  const id = { group: kind === 'CronJob' ? 'batch' : 'apps', kind, namespace: 'team', name: 'web' };
  const envFrom = [{ secretRef: { name: 'db' } }, { configMapRef: { name: 'app', optional: true } }];
  const volumes = [{ name: 'v', secret: { secretName: 'elsewhere' } }];
  const spec = { serviceAccountName: 'bot', containers: [{ name: 'c', image, envFrom }], volumes };
  return {
    ...wanted('Pod', 'web'),
    id,
    key: objectKey(id),
    apiVersion: `${id.group}/v1`,
    tree: { metadata: { name: 'web', annotations }, spec: { template: { ...template, spec } } },
  };
}

const DB = wanted('Secret', 'db');
const APP = wanted('ConfigMap', 'app');
const BOT = wanted('ServiceAccount', 'bot');

function decide(object: DesiredObject, more: { mark?: RestartMark; db?: DesiredObject; applied?: string } = {}) {
  const db = more.db ?? DB;
  const rows = [
    row('Secret', 'db', { digest: (more.applied ?? db.digest) as SourceDigest }),
    row('ConfigMap', 'app'),
    row('ServiceAccount', 'bot'),
    { ...row('Pod', 'web', { restart: more.mark }), key: object.key },
  ];
  return restartCase(object, {
    row: (key) => rows.find((each) => each.key === key),
    wanted: new Map([object, db, APP, BOT, wanted('Secret', 'unused')].map((each) => [each.key, each])),
    isKeyChanging: false,
  });
}

function opened(found: ReturnType<typeof decide>) {
  if (found.kind !== 'open') throw new TypeError(found.kind);
  return found;
}

const MARK: RestartMark = { ...opened(decide(workload())).seen, values: 'v1' };

describe('whether the values of a workload are looked at', () => {
  it('is so once all that its Pods read is applied, of Secrets and ConfigMaps of the sync and of nothing else', () => {
    expect(opened(decide(workload())).uses.map(({ key }) => key)).toEqual([APP.key, DB.key]);
    expect(decide(workload(), { applied: 'before' }).kind).toBe('nothing');
  });

  it('is not so while Git is as it was: nothing is opened', () => {
    expect(decide(workload(), { mark: MARK }).kind).toBe('nothing');
    const other = { ...DB, digest: 'd2' as SourceDigest };
    expect(decide(workload(), { mark: MARK, db: other }).kind).toBe('open');
  });

  it('needs the annotation, and what was known is forgotten with it', () => {
    expect(decide(workload({ annotations: {} })).kind).toBe('nothing');
    expect(decide(workload({ annotations: {} }), { mark: MARK }).kind).toBe('forget');
    expect(decide(workload({ annotations: { 'sotto.dev/restart-on-change': 'false' } })).kind).toBe('nothing');
  });
});

describe('a restart', () => {
  it('is due when a value is another one than before, and not for the first values seen', () => {
    expect(mustRestart(undefined, MARK, false)).toBe(false);
    expect(mustRestart(MARK, { ...MARK, sources: 's2' as SourceDigest }, false)).toBe(false);
    expect(mustRestart(MARK, { ...MARK, values: 'v2' }, false)).toBe(true);
    expect(mustRestart(MARK, { ...MARK, values: 'v2' }, true)).toBe(true);
  });

  it('is not due besides the rollout of another template of the same pass', () => {
    const { template } = opened(decide(workload({ image: 'i:2' }))).seen;
    const now = { ...MARK, template, values: 'v2' };
    expect(mustRestart(MARK, now, true)).toBe(false);
    expect(mustRestart(MARK, now, false)).toBe(true);
  });
});

describe('a wish that cannot be met', () => {
  it('is told of, and nothing is restarted', () => {
    const stamped = { metadata: { annotations: { 'sotto.dev/secrets-digest': 'x' } } };
    const bad = [
      workload({ kind: 'CronJob' }),
      workload({ annotations: { 'sotto.dev/restart-on-change': 'yes' } }),
      workload({ template: stamped }),
    ];
    for (const object of bad) {
      expect(restartTrouble(object)).toEqual(expect.any(String));
      expect(decide(object).kind).toBe('nothing');
    }
    expect(restartTrouble(workload())).toBeUndefined();
    expect(restartTrouble(workload({ annotations: {} }))).toBeUndefined();
  });
});
