import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { placeOf } from '../../src/drift/field-place.ts';
import { judgeEvent } from '../../src/drift/judge.ts';
import { recordFromAnswer } from '../../src/drift/record.ts';
import { sortFields } from '../../src/drift/secret-places.ts';
import { type HandField, handFields } from '../../src/drift/undone-fields.ts';
import { context, entry, LABEL_FIELD, live, MAC_KEY, ours } from './objects.ts';

const CONTAINERS = ['f:spec', 'f:template', 'f:spec', 'f:containers'];

const env = (...names: readonly string[]): JsonObject =>
  Object.fromEntries(names.map((name) => [`k:{"name":"${name}"}`, { '.': {}, 'f:name': {}, 'f:value': {} }]));
const owned = (container: JsonObject): JsonObject => ({
  'f:metadata': LABEL_FIELD,
  'f:spec': { 'f:replicas': {}, 'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"app"}': container } } } },
});
const pod = (replicas: number, container: JsonObject): JsonObject => ({
  spec: { replicas, template: { spec: { containers: [{ name: 'app', ...container }] } } },
});
const shown = (group: string, kind: string, field: readonly string[], value?: Json): boolean => {
  const given: HandField = value === undefined ? { field } : { field, value };
  return sortFields({ group, kind }, [given]).shown.length === 1;
};
const variable = (name: string): string[] => [...CONTAINERS, 'k:{"name":"app"}', 'f:env', `k:{"name":"${name}"}`];

const custom = (field: readonly string[], value?: Json): boolean => shown('example.com', 'Thing', field, value);

function isShown(text: string): boolean {
  return shown('', 'ConfigMap', ['f:data', 'f:a'], text);
}

describe('the fields of a change made by hand', () => {
  const before = live(
    'Deployment',
    pod(3, {
      image: 'a:1',
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '2' },
      ],
      resources: { limits: { cpu: '1' } },
    }),
    [
      ours(
        owned({
          '.': {},
          'f:name': {},
          'f:image': {},
          'f:env': env('A', 'B'),
          'f:resources': { 'f:limits': { 'f:cpu': {} } },
        }),
      ),
    ],
  );

  it('are the values that were there, what was added, and the outermost of what was removed', () => {
    const record = recordFromAnswer(before, 'full', MAC_KEY);
    const after = live(
      'Deployment',
      pod(3, {
        image: 'a:2',
        env: [
          { name: 'B', value: '2' },
          { name: 'C', value: 'x' },
        ],
      }),
      [
        ours(owned({ '.': {}, 'f:name': {}, 'f:env': env('B') })),
        entry('kubectl-edit', {
          'f:spec': {
            'f:template': {
              'f:spec': { 'f:containers': { 'k:{"name":"app"}': { 'f:image': {}, 'f:env': env('C') } } },
            },
          },
        }),
      ],
      '101',
    );
    const verdict = judgeEvent(after, record, context());
    if (verdict.kind !== 'drifted') throw new Error(verdict.kind);
    const app = [...CONTAINERS, 'k:{"name":"app"}'];
    expect(handFields(verdict, after)).toEqual(
      expect.arrayContaining([
        { field: [...app, 'f:image'], value: 'a:2' },
        { field: [...app, 'f:env', 'k:{"name":"A"}'] },
        { field: [...app, 'f:env', 'k:{"name":"C"}'], value: { name: 'C', value: 'x' } },
        { field: [...app, 'f:resources'] },
      ]),
    );
    expect(handFields(verdict, after)).toHaveLength(4);
  });
});

describe('the place of a field', () => {
  const ports: Json = { ports: [{ port: 80 }, { port: 53, protocol: 'UDP' }, { port: 53, protocol: 'TCP' }] };

  it('is found by the keys of an item, also where it leaves a default out', () => {
    expect(placeOf(ports, ['f:ports', 'k:{"port":80,"protocol":"TCP"}', 'f:port'])).toEqual({
      path: ['ports', '0', 'port'],
      missing: 0,
    });
    expect(placeOf(ports, ['f:ports', 'k:{"port":53,"protocol":"TCP"}'])).toEqual({ path: ['ports', '2'], missing: 0 });
    expect(placeOf(ports, ['f:ports', 'k:{"port":1,"protocol":"TCP"}'])).toEqual({ path: ['ports', '3'], missing: 1 });
    expect(placeOf({ a: ['x', 'y'] }, ['f:a', 'v:"y"'])).toEqual({ path: ['a', '1'], missing: 0 });
    expect(placeOf({}, ['f:a', 'f:b'])).toEqual({ path: ['a', 'b'], missing: 2 });
  });

  it('is none where two items could be meant', () => {
    expect(placeOf({ l: [{ name: 'a' }, { name: 'a' }] }, ['f:l', 'k:{"name":"a"}'])).toBeUndefined();
  });
});

describe('what may hold a secret', () => {
  it('is everything of a Secret', () => {
    expect(shown('', 'Secret', ['f:data', 'f:a'], 'eA==')).toBe(false);
    expect(shown('', 'Secret', ['f:metadata', 'f:labels', 'f:a'], 'b')).toBe(false);
  });

  it('is in known kinds what people have named so, and what looks like one', () => {
    expect(shown('apps', 'Deployment', ['f:spec', 'f:replicas'], 5)).toBe(true);
    expect(shown('apps', 'Deployment', [...variable('LOG_LEVEL'), 'f:value'], 'debug')).toBe(true);
    expect(shown('apps', 'Deployment', [...variable('DB_PASSWORD'), 'f:value'], 'x')).toBe(false);
    expect(shown('apps', 'Deployment', variable('API_KEY'), { name: 'API_KEY', value: 'x' })).toBe(false);
    expect(
      shown('apps', 'Deployment', [...CONTAINERS, 'k:{"name":"new"}'], {
        name: 'new',
        env: [{ name: 'TOKEN', value: 'x' }],
      }),
    ).toBe(false);
    expect(
      shown('apps', 'Deployment', ['f:spec', 'f:template', 'f:spec', 'f:imagePullSecrets', 'k:{"name":"pull"}'], {
        name: 'pull',
      }),
    ).toBe(true);
    expect(shown('apps', 'Deployment', [...variable('URL'), 'f:value'], 'postgres://a:b@db/x')).toBe(false);
    expect(shown('', 'ConfigMap', ['f:data', 'f:color'], 'red')).toBe(true);
    expect(shown('', 'ConfigMap', ['f:data', 'f:password'], 'x')).toBe(false);
    expect(shown('', 'ConfigMap', ['f:data', 'f:app.ini'], '[db]\npassword = x\n')).toBe(false);
    expect(
      shown(
        '',
        'ConfigMap',
        ['f:metadata', 'f:annotations', 'f:kubectl.kubernetes.io/last-applied-configuration'],
        '{}',
      ),
    ).toBe(false);
  });

  it('is in custom resources every name and place where their controller may take one from', () => {
    expect(custom(['f:spec', 'f:size'], 3)).toBe(true);
    expect(custom(['f:spec', 'f:schedule'], '@daily')).toBe(true);
    expect(custom(['f:spec', 'f:adminPassword'], 'x')).toBe(false);
    expect(custom(['f:spec', 'f:key'], 'x')).toBe(false);
    expect(custom(['f:spec', 'f:values', 'f:replicas'], 3)).toBe(false);
    expect(custom(['f:spec', 'f:values', 'f:db'], 'x')).toBe(false);
    expect(custom(['f:spec', 'f:template', 'f:data', 'f:a'], 'x')).toBe(false);
    expect(custom(['f:spec', 'f:auth'], { user: 'a' })).toBe(false);
    expect(custom(['f:spec', 'f:users', 'k:{"name":"a"}'], { name: 'a', pass: 'x' })).toBe(false);
  });

  it('is every URL with a password and every line that sets a secret, wherever they stand', () => {
    const url = /[a-z][a-z0-9+.-]*:\/\/[^/?#\s]*:[^/?#\s]*@/i;
    const line = /(?:passwd|token)[\w.-]*["']?\s*[:=]/i;
    const pieces = fc.constantFrom('passwd', 'Token', 'b', '-', '.', '"', ' ', '\n', ':', '=', '@', '://', '/', '?');
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 14 }), (parts) => {
        const text = parts.join('');
        if (url.test(text) || line.test(text)) expect(isShown(text), text).toBe(false);
      }),
      { numRuns: 5_000 },
    );
    expect(isShown('see https://example.com/a:b@c and mode: fast')).toBe(true);
    expect(isShown('the token is elsewhere')).toBe(true);
  });

  it('is told of a value of a megabyte as well, whatever stands in it', () => {
    const pieces = ['x', 'pass', 'a://', ':', '@', ' ', '"', '-', 'pass ', "pass'", 'a://:', '://@'];
    const told = pieces.map((piece) => isShown(piece.repeat(1_000_000 / piece.length)));
    expect(told.filter((each) => !each)).toEqual([]);
  });
});
