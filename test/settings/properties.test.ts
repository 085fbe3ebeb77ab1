import { parseExpression } from '../../src/expression/parse.ts';
import * as fc from 'fast-check';
import { dump } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { isReceiptKeyName } from '../../src/core/receipt-key.ts';
import { formatDuration } from '../../src/settings/duration.ts';
import { parseSettings } from '../../src/settings/parse.ts';
import type { ServiceRules } from '../../src/services/rules.ts';
import type { DecryptionSettings, ObjectMatch, Settings, SyncSettings } from '../../src/settings/settings.ts';
import { ALL_DEFAULTS, MINIMAL } from './example.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?$/);
const timerMs = fc.integer({ min: 100, max: 24 * 86_400_000 });
const secretNames = fc.array(name, { maxLength: 3 });
const https = name.map((host) => `https://${host}.example.com`);
const few = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(of, { maxLength: 2 });
const services: fc.Arbitrary<ServiceRules> = fc.record({
  vault: few(https),
  awsKms: few(
    fc.record({
      arn: name.map((id) => `arn:aws:kms:eu-central-1:111122223333:key/${id}`),
      role: fc.option(
        name.map((role) => `arn:aws:iam::111122223333:role/${role}`),
        { nil: '' },
      ),
      endpoint: fc.option(https, { nil: undefined }),
      stsEndpoint: fc.option(https, { nil: undefined }),
    }),
  ),
  gcpKms: few(
    fc.record({
      resourceId: name.map((key) => `projects/p/locations/global/keyRings/r/cryptoKeys/${key}`),
      endpoint: fc.option(https, { nil: undefined }),
    }),
  ),
  azureKeyVault: few(
    fc.record({
      vaultUrl: name.map((vault) => `https://${vault}.vault.azure.net`),
      loginEndpoint: fc.option(https, { nil: undefined }),
    }),
  ),
});
const RECIPIENT = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';
const segment = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,6}$/);
const group = fc.option(fc.constantFrom('', 'apps', 'batch'), { nil: undefined });
const kind = fc.constantFrom('Job', 'Deployment', 'Secret');
const match: fc.Arbitrary<ObjectMatch> = fc.record({ group, kind, namespace: optional(name), name: optional(name) });

function optional<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined });
}

const expression = fc.constantFrom('status.ready == true', '!has(status.phase)').map((text) => {
  const parsed = parseExpression(text);
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.expression;
});

const sync: fc.Arbitrary<SyncSettings> = fc.record({
  name,
  source: fc.record({
    git: fc.record({
      url: name.map((host) => `https://${host}.example.com/team/app.git`),
      branch: fc.stringMatching(/^[a-z][a-z0-9]{1,8}\/?[a-z]{2}$/),
      secretName: optional(name),
      intervalMs: timerMs,
      requireFastForward: fc.boolean(),
    }),
    ignore: fc.array(fc.stringMatching(/^[!*a-z/.]{1,10}$/), { maxLength: 3 }),
  }),
  path: fc.array(segment, { maxLength: 4 }).map((segments) => segments.join('/')),
  postBuild: optional(
    fc.record({
      substitute: fc.dictionary(fc.stringMatching(/^[_a-zA-Z][_a-zA-Z0-9]{0,5}$/), fc.string(), {
        noNullPrototype: true,
      }),
      substituteFrom: fc.array(fc.record({ name, optional: fc.boolean() }), { maxLength: 3 }),
      always: fc.boolean(),
    }),
  ),
  decryption: fc.record({ secretNames, services }),
  sealedSecrets: fc.constantFrom('auto', 'unseal', 'passthrough'),
  serviceAccountName: optional(name),
  adopt: fc.constantFrom('equal', 'ask', 'always'),
  intervalMs: timerMs,
  timeoutMs: timerMs,
  wait: fc.boolean(),
  retryIntervalMs: timerMs,
  suspend: fc.boolean(),
  prune: fc.record({
    enabled: fc.boolean(),
    maxSharePercent: fc.integer({ min: 0, max: 100 }),
    minimum: fc.nat({ max: 1000 }),
    ask: fc.array(fc.record({ group: fc.constantFrom(undefined, 'apps'), kind }), { maxLength: 3 }),
  }),
  // Names of other syncs: parse.test.ts.
  dependsOn: fc.constant([]),
  deletionPolicy: fc.constantFrom('orphan', 'delete'),
  skip: fc.array(match, { maxLength: 3 }),
  health: fc.record({
    strict: fc.boolean(),
    expressions: fc.uniqueArray(
      fc.record({
        group: fc.constantFrom('', 'example.com'),
        kind: fc.constantFrom('Thing', 'Other'),
        inProgress: optional(expression),
        failed: optional(expression),
        current: expression,
      }),
      { maxLength: 2, selector: (each) => `${each.group}/${each.kind}` },
    ),
  }),
  drift: fc.record({
    policy: fc.constantFrom('fields', 'guard', 'exact'),
    ignore: fc.array(
      fc.record({
        target: optional(fc.record({ group, kind: optional(kind), namespace: optional(name), name: optional(name) })),
        paths: fc.array(fc.stringMatching(/^\/[a-z]{1,5}\/[a-z~01]{1,5}$/), { maxLength: 2 }),
        managers: fc.array(name, { maxLength: 2 }),
      }),
      { maxLength: 2 },
    ),
  }),
  secretsIn: fc.array(fc.record({ group: fc.constantFrom('', 'apps'), kind, name }), { maxLength: 3 }),
});

const receiptKeyName = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => `ed25519:${Buffer.from(bytes).toString('base64')}`)
  .filter(isReceiptKeyName);

const settings: fc.Arbitrary<Settings> = fc.record({
  targetNamespace: optional(name),
  fingerprintSecret: name,
  decryption: fc.record({ secretNames, services }),
  sealing: fc.record({
    enabled: fc.boolean(),
    secretNames,
    certificate: optional(fc.stringMatching(/^[0-9a-f]{64}$/)),
    recovery: fc.subarray([RECIPIENT]),
  }),
  rotation: fc.record({ receiptKey: optional(receiptKeyName), recipients: fc.subarray([RECIPIENT, 'pgp ABCD']) }),
  plaintextSecrets: fc.constantFrom('refuse', 'warn', 'allow'),
  liftedVetoes: fc.subarray(['key-mount', 'agent-account', 'agent-rbac', 'key-label']),
  pageListen: optional(
    fc.record({ host: fc.constantFrom(undefined, '127.0.0.1', '::1', 'localhost'), port: fc.nat({ max: 65_535 }) }),
  ),
  syncs: fc.uniqueArray(sync, { maxLength: 4, selector: (item) => item.name }),
});

/** The document a person would write for these settings. */
function documentOf(from: Settings): unknown {
  return {
    apiVersion: 'sotto.dev/v1alpha1',
    kind: 'Config',
    targetNamespace: from.targetNamespace ?? null,
    fingerprintSecret: from.fingerprintSecret,
    decryption: decryptionOf(from.decryption),
    sealing: {
      enabled: from.sealing.enabled,
      keys: from.sealing.secretNames,
      certificate: from.sealing.certificate ?? '',
      recovery: from.sealing.recovery,
    },
    rotation: { receiptKey: from.rotation.receiptKey ?? '', recipients: from.rotation.recipients },
    plaintextSecrets: from.plaintextSecrets,
    vetoes: { allow: from.liftedVetoes },
    page: { listen: listenText(from.pageListen) },
    syncs: from.syncs.map(syncDocumentOf),
  };
}

function listenText(address: Settings['pageListen']): string {
  if (address === undefined) return '';
  const host = address.host ?? '';
  return `${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}

function syncDocumentOf(from: SyncSettings): unknown {
  const { git } = from.source;
  return {
    name: from.name,
    source: {
      git: {
        url: git.url,
        ref: { branch: git.branch },
        secretRef: git.secretName === undefined ? null : { name: git.secretName },
        interval: formatDuration(git.intervalMs),
        requireFastForward: git.requireFastForward,
      },
      ignore: from.source.ignore,
    },
    path: `./${from.path}`,
    postBuild: from.postBuild && {
      substitute: from.postBuild.substitute,
      substituteFrom: from.postBuild.substituteFrom.map((source) => ({ kind: 'ConfigMap', ...source })),
      substituteStrategy: from.postBuild.always ? 'Always' : 'WithVariables',
    },
    decryption: decryptionOf(from.decryption),
    sealedSecrets: from.sealedSecrets,
    serviceAccountName: from.serviceAccountName ?? '',
    adopt: from.adopt,
    interval: formatDuration(from.intervalMs),
    timeout: formatDuration(from.timeoutMs),
    wait: from.wait,
    retryInterval: formatDuration(from.retryIntervalMs),
    suspend: from.suspend,
    drift: from.drift,
    health: {
      strict: from.health.strict,
      expressions: from.health.expressions.map(({ current, failed, inProgress, ...of }) => ({
        ...of,
        current: current.text,
        failed: failed?.text ?? null,
        inProgress: inProgress?.text ?? null,
      })),
    },
    prune: {
      enabled: from.prune.enabled,
      maxShare: `${from.prune.maxSharePercent}%`,
      minimum: from.prune.minimum,
      ask: from.prune.ask.map((entry) => (entry.group === undefined ? entry.kind : `${entry.group}/${entry.kind}`)),
    },
    render: { kustomize: { secretsIn: from.secretsIn } },
    dependsOn: from.dependsOn,
    deletionPolicy: from.deletionPolicy,
    skip: from.skip.map((entry) =>
      Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined)),
    ),
  };
}

function decryptionOf(from: DecryptionSettings): unknown {
  const { vault, awsKms, gcpKms, azureKeyVault } = from.services;
  const keys = from.secretNames.map((secret) => ({ secretRef: { name: secret } }));
  return { keys, vault: vault.map((each) => ({ address: each })), awsKms, gcpKms, azureKeyVault };
}

/** YAML 1.1 reads bare `y`, `on`, `1_0`, `1e3` and the like as other types: text is quoted here, as people are told. */
function yamlOf(document: unknown): string {
  return dump(document, { forceQuotes: true });
}

describe('any settings', () => {
  it('read back from the YAML written for them', () => {
    fc.assert(
      fc.property(settings, (wanted) => {
        const parsed = parseSettings(yamlOf(documentOf(wanted)), 'sotto.yaml');
        expect(parsed).toEqual({ ok: true, settings: wanted });
      }),
    );
  });
});

function isTold(text: string): void {
  const parsed = parseSettings(text, 'sotto.yaml');
  if (parsed.ok) return;
  expect(parsed.problems.length).toBeGreaterThan(0);
  for (const problem of parsed.problems) expect(problem).toBeInstanceOf(SottoError);
}

describe('any text', () => {
  it('is good or a list of coded errors, never an exception', () => {
    fc.assert(fc.property(fc.string(), isTold));
  });

  it('is good or a list of coded errors with random values in the place of good ones', () => {
    const lines = ALL_DEFAULTS.split('\n');
    const value = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constantFrom('[]', '{}', '~', '[[1]]', '{a: {b: 1}}', '!!binary x', '*a'),
    );
    const change = fc.record({ line: fc.nat({ max: lines.length - 1 }), value });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        const changed = lines.map((line, index) => {
          const found = changes.find((candidate) => candidate.line === index);
          return found === undefined ? line : line.replace(/:.*$/, () => `: ${found.value}`);
        });
        isTold(changed.join('\n'));
      }),
    );
  });

  it('is good or a list of coded errors for any YAML of the right version', () => {
    const header = { apiVersion: 'sotto.dev/v1alpha1', kind: 'Config' };
    const field = fc.constantFrom(
      'syncs',
      'sealing',
      'page',
      'decryption',
      'source',
      'git',
      'keys',
      'name',
      'prune',
      '__proto__',
    );
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 6 },
        fc.string(),
        fc.double(),
        fc.boolean(),
        fc.constant(null),
        tie('list'),
        tie('map'),
      ),
      list: fc.array(tie('node'), { maxLength: 3 }),
      map: fc.dictionary(field, tie('node'), { maxKeys: 5 }),
    }));
    fc.assert(fc.property(tree.map, (random) => isTold(JSON.stringify({ ...random, ...header }))));
  });

  it('that was cut off anywhere is good or a list of coded errors', () => {
    for (let length = 0; length < MINIMAL.length; length += 1) isTold(MINIMAL.slice(0, length));
  });
});
