import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/core/json.ts';
import { evaluate, Fault } from '../../src/expression/evaluate.ts';
import { parseExpression } from '../../src/expression/parse.ts';
import type { HealthRules } from '../../src/expression/health-rules.ts';
import { computeStatus } from '../../src/health/status.ts';
import { parseSettings } from '../../src/settings/parse.ts';

const OBJECT: Json = {
  apiVersion: 'example.com/v1',
  kind: 'Thing',
  metadata: { generation: 2, name: 'a' },
  spec: { replicas: 3, big: 9007199254740993n },
  status: {
    phase: 'Running',
    ratio: 0.5,
    conditions: [
      { type: 'Ready', status: 'True', reason: 'Fine', message: 'all of it' },
      { type: 'Synced', status: 'False' },
    ],
  },
};

function read(text: string) {
  const parsed = parseExpression(text);
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.expression;
}

const valueOf = (text: string, object: Json = OBJECT) => evaluate(read(text).tree, object);

describe('a health expression', () => {
  it.each<[string, Json]>([
    ['status.phase == "Running"', true],
    ["status.phase != 'Running'", false],
    ['status["phase"].startsWith("Run") && status.phase.endsWith("ing") && status.phase.contains("nn")', true],
    ['spec.replicas >= 3 && spec.replicas < 4 && status.ratio == 0.5', true],
    ['spec.big == 9007199254740993 && spec.big != 9007199254740992', true],
    ['-1 < 0', true],
    ['status.conditions.exists(c, c.type == "Ready" && c.status == "True")', true],
    ['status.conditions.all(c, c.status == "True")', false],
    ['status.conditions.exists_one(c, c.status == "True")', true],
    ['status.conditions.filter(e, e.type == "Ready").all(e, e.status == "True")', true],
    ['size(status.conditions) == 2 && status.conditions.size() == 2', true],
    ['status.conditions[1].type', 'Synced'],
    ['has(status.phase) && !has(status.error)', true],
    ['status.phase in ["Running", "Done"] && "phase" in status', true],
    ['status.phase == "Running" ? spec.replicas == 3 : false', true],
    ['status.nothing == 1 || status.phase == "Running"', true],
    ['!(true && false) || false', true],
    ['1 == "1"', false],
    ['[1, {}.x] == 1 ? true : false'.replace('{}.x', '2'), false],
  ])('%s is %j', (text, value) => {
    expect(valueOf(text)).toEqual(value);
  });

  it.each<[string, Fault['kind']]>([
    ['status.nothing', 'missing'],
    ['metadata.constructor', 'missing'],
    ['status.phase.name', 'wrong'],
    ['status.phase && true', 'wrong'],
    ['status.phase < 3', 'wrong'],
  ])('%s cannot be evaluated: %s', (text, kind) => {
    const value = valueOf(text);
    expect(value instanceof Fault ? value.kind : value).toBe(kind);
  });

  it.each([
    ['status.', 'field is missing'],
    ['status.phase.matches("a+")', 'no such function'],
    ['sttus.phase == 1', 'no such name'],
    ['status.a < 1 < 2', 'should end here'],
    ['"open', 'does not belong'],
    ["'\\x41' == 'A'", 'escape'],
    ['has(status)', 'has()'],
    ['status.list.map(x, x)', 'no such function'],
    ['(1', '")" is missing'],
    [`${'('.repeat(100)}1${')'.repeat(100)}`, 'nested'],
    [`${'!'.repeat(100)}true`, 'nested'],
    [`status.a == "${'x'.repeat(3000)}"`, 'longer'],
  ])('%s is refused', (text, why) => {
    const parsed = parseExpression(text);
    expect(parsed.ok ? '' : parsed.why).toContain(why);
  });

  it('ends soon on an object made to be large, and nothing hides that', () => {
    const items = Array.from({ length: 2000 }, (_, index) => `t${index}`);
    const large: Json = { status: { items } };
    const text = 'status.items.all(a, status.items.all(b, status.items.all(c, c != "z"))) || true == false';
    const value = valueOf(text, large);
    expect(value instanceof Fault && value.kind).toBe('costly');
  });

  it('never throws, whatever is written', () => {
    const word = fc.constantFrom(
      'status',
      '.',
      'a',
      '(',
      ')',
      '[',
      ']',
      '!',
      '&&',
      '==',
      '"x"',
      '1',
      'in',
      'all',
      ',',
      '?',
      ':',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 20 }), fc.jsonValue(), (words, status) => {
        const parsed = parseExpression(words.join(' '));
        if (parsed.ok) evaluate(parsed.expression.tree, { status: status as Json });
        else expect(parsed.why).toContain('at its character');
      }),
    );
  });
});

const rules = (current: string, failed?: string, inProgress?: string): HealthRules => ({
  strict: false,
  expressions: [
    {
      group: 'example.com',
      kind: 'Thing',
      current: read(current),
      failed: failed === undefined ? undefined : read(failed),
      inProgress: inProgress === undefined ? undefined : read(inProgress),
    },
  ],
});

describe('health by expressions', () => {
  it.each<[string, HealthRules, string, string]>([
    ['current', rules('true'), 'Current', 'Current'],
    ['failed before current', rules('true', 'true'), 'Failed', 'FailedByExpression'],
    ['inProgress before all', rules('true', 'true', 'true'), 'InProgress', 'InProgressByExpression'],
    ['none', rules('false', 'false'), 'InProgress', 'NoExpressionHolds'],
    ['a field that is not there', rules('status.x == 1'), 'InProgress', 'FieldMissing'],
    ['another type', rules('status.phase < 1'), 'Unknown', 'ExpressionFailed'],
    ['no truth', rules('status.phase'), 'Unknown', 'ExpressionFailed'],
  ])('%s', (_name, given, status, reason) => {
    expect(computeStatus(OBJECT, new Date(0), given)).toMatchObject({ status, reason });
  });

  it('counts only after the controller has seen the newest generation, and for its kind alone', () => {
    const stale = { ...OBJECT, status: { observedGeneration: 1 } };
    expect(computeStatus(stale, new Date(0), rules('true')).reason).toBe('LatestGenerationNotObserved');
    const other = { ...OBJECT, kind: 'Other' };
    expect(computeStatus(other, new Date(0), rules('false')).status).toBe('Current');
  });
});

const STRICT: HealthRules = { strict: true, expressions: [] };
const balancer = (status: Json) => ({
  apiVersion: 'v1',
  kind: 'Service',
  spec: { type: 'LoadBalancer', clusterIP: '1.2.3.4' },
  status,
});
const podWaiting = (list: string, reason: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  status: { phase: 'Pending', [list]: [{ name: 'c', state: { waiting: { reason } } }] },
});

describe('strict health', () => {
  it.each<[string, Json, string, string, string]>([
    ['a balancer without address', balancer({}), 'Current', 'InProgress', 'NoIngress'],
    ['a balancer', balancer({ loadBalancer: { ingress: [{ ip: '1.1.1.1' }] } }), 'Current', 'Current', 'Current'],
    ['an image', podWaiting('containerStatuses', 'ImagePullBackOff'), 'InProgress', 'Failed', 'ImagePullBackOff'],
    ['an init image', podWaiting('initContainerStatuses', 'ErrImagePull'), 'InProgress', 'Failed', 'ErrImagePull'],
    ['a start', podWaiting('containerStatuses', 'ContainerCreating'), 'InProgress', 'InProgress', 'PodPending'],
    ['a Pod', { apiVersion: 'v1', kind: 'Pod', status: { phase: 'Failed' } }, 'Current', 'Failed', 'PodFailed'],
    [
      'a lost claim',
      { apiVersion: 'v1', kind: 'PersistentVolumeClaim', status: { phase: 'Lost' } },
      'InProgress',
      'Failed',
      'ClaimLost',
    ],
  ])('%s', (_name, object, stock, strict, reason) => {
    expect(computeStatus(object, new Date(0)).status).toBe(stock);
    expect(computeStatus(object, new Date(0), STRICT)).toMatchObject({ status: strict, reason });
  });
});

describe('health in the settings', () => {
  it('names line and place of every expression that cannot be used', () => {
    const text = `apiVersion: sotto.dev/v1alpha1
kind: Config
syncs:
- name: app
  source: { git: { url: "https://git.example.com/a.git", ref: { branch: main } } }
  path: .
  health:
    expressions:
    - group: example.com
      kind: Thing
      current: status.ready == true
    - group: example.com
      kind: Thing
      current: status.phase ==
    - kind: Secret
      current: "true"
`;
    const parsed = parseSettings(text, 'sotto.yaml');
    const problems = parsed.ok ? [] : parsed.problems.map(({ code, place, why }) => [code, place.line, why]);
    expect(problems).toEqual([
      ['SOTTO-PLAN-070', 12, 'expressions[0] has the same kind'],
      ['SOTTO-PLAN-070', 14, 'at its character 16: a value is missing'],
      ['SOTTO-PLAN-070', 15, 'of Secrets only the metadata is read: there is nothing to judge'],
    ]);
  });
});
