import { describe, expect, it } from 'vitest';
import type { SottoError } from '../../src/core/errors.ts';
import { LIMITS } from '../../src/core/limits.ts';
import { parseSettings } from '../../src/settings/parse.ts';
import { NO_SERVICES } from '../../src/services/rules.ts';
import type { Settings } from '../../src/settings/settings.ts';
import { ALL_DEFAULTS, MINIMAL } from './example.ts';

function good(text: string): Settings {
  const parsed = parseSettings(text, 'sotto.yaml');
  if (!parsed.ok) throw new Error(parsed.problems.map((problem) => problem.text()).join('\n'));
  return parsed.settings;
}

function problemsOf(text: string): readonly SottoError[] {
  const parsed = parseSettings(text, 'sotto.yaml');
  return parsed.ok ? [] : parsed.problems;
}

/** `code line key` of each problem: enough to see what is told where. */
function told(text: string): string[] {
  return problemsOf(text).map((problem) => `${problem.code} ${problem.place.line} ${problem.place.key}`);
}

const inSync = (line: string): string => `${MINIMAL}  ${line}\n`;
const inPostBuild = (line: string): string => inSync(`postBuild:\n    ${line}`);
const inDocument = (line: string): string => MINIMAL.replace('syncs:', `${line}\nsyncs:`);
const inGit = (line: string): string => MINIMAL.replace('      ref:', `      ${line}\n      ref:`);

describe('settings that are good', () => {
  it('get every default of the interface page', () => {
    expect(good(MINIMAL)).toEqual({
      targetNamespace: undefined,
      fingerprintSecret: 'sotto-fingerprint',
      liftedVetoes: [],
      decryption: { secretNames: [], services: NO_SERVICES },
      sealing: { enabled: false, secretNames: [], certificate: undefined, recovery: [] },
      rotation: { receiptKey: undefined, recipients: [] },
      plaintextSecrets: 'refuse',
      pageListen: { host: '127.0.0.1', port: 8081 },
      syncs: [
        {
          name: 'app',
          source: {
            git: {
              url: 'https://git.example.com/team/app.git',
              branch: 'main',
              secretName: undefined,
              intervalMs: 60_000,
              requireFastForward: false,
            },
            ignore: [],
          },
          path: 'deploy/prod',
          decryption: { secretNames: [], services: NO_SERVICES },
          sealedSecrets: 'auto',
          serviceAccountName: undefined,
          adopt: 'equal',
          intervalMs: 600_000,
          timeoutMs: 300_000,
          wait: true,
          retryIntervalMs: 30_000,
          suspend: false,
          prune: { enabled: true, maxSharePercent: 50, minimum: 5, ask: [] },
          dependsOn: [],
          deletionPolicy: 'orphan',
          skip: [],
          drift: { policy: 'guard', ignore: [] },
          health: { strict: false, expressions: [] },
          secretsIn: [],
        },
      ],
    });
  });

  it('mean the same with every default written out', () => {
    expect(good(ALL_DEFAULTS)).toEqual(good(MINIMAL));
  });

  it('mean the same with empty fields, which YAML reads as null', () => {
    const empty = inSync('decryption:\n  dependsOn:\n  prune:\n  skip:\n  render:\n  interval:');
    expect(good(empty)).toEqual(good(MINIMAL));
  });

  it('may have no sync', () => {
    expect(good('apiVersion: sotto.dev/v1alpha1\nkind: Config\n').syncs).toEqual([]);
  });

  it('give a sync the common keys unless it names its own', () => {
    const common = 'decryption: { keys: [ { secretRef: { name: common } } ] }';
    expect(good(inDocument(common)).syncs[0]?.decryption.secretNames).toEqual(['common']);
    const own = `${inDocument(common)}  decryption: { keys: [ { secretRef: { name: own } } ] }\n`;
    expect(good(own).syncs[0]?.decryption.secretNames).toEqual(['own']);
    expect(good(`${inDocument(common)}  decryption: { keys: [] }\n`).syncs[0]?.decryption.secretNames).toEqual([]);
  });

  it('take prune as a section, as false and as true', () => {
    expect(good(inSync('prune: false')).syncs[0]?.prune.enabled).toBe(false);
    expect(good(inSync('prune: true')).syncs[0]?.prune.enabled).toBe(true);
    expect(
      good(inSync('prune: { maxShare: 12.5%, minimum: 0, ask: [ Job, apps/StatefulSet ] }')).syncs[0]?.prune,
    ).toEqual({
      enabled: true,
      maxSharePercent: 12.5,
      minimum: 0,
      ask: [
        { group: undefined, kind: 'Job' },
        { group: 'apps', kind: 'StatefulSet' },
      ],
    });
  });

  it.each([
    ['./deploy/prod', 'deploy/prod'],
    ['deploy//prod/', 'deploy/prod'],
    ['./', ''],
    ['.', ''],
    ['""', ''],
  ])('write the path %s as %j', (written, path) => {
    expect(good(MINIMAL.replace('./deploy/prod', written)).syncs[0]?.path).toBe(path);
  });

  it('take a fingerprint as openssl prints it, and X25519 recipients', () => {
    const hex = 'ab'.repeat(32);
    const colons = hex.toUpperCase().replace(/..(?=.)/g, '$&:');
    const recipient = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';
    const written = `sealing: { enabled: true, certificate: "${colons}", recovery: [ ${recipient} ] }`;
    expect(good(inDocument(written)).sealing).toEqual({
      enabled: true,
      secretNames: [],
      certificate: hex,
      recovery: [recipient],
    });
  });

  it.each([
    ['sealing: { certificate: abc }', 'SOTTO-CONF-001 3 sealing.certificate'],
    ['rotation: { receiptKey: ed25519:abc }', 'SOTTO-CONF-001 3 rotation.receiptKey'],
    ['sealing: { recovery: [ age1xyz ] }', 'SOTTO-CONF-001 3 sealing.recovery[0]'],
    ['sealing: { recovery: [ AGE-SECRET-KEY-1QQQQ ] }', 'SOTTO-CONF-001 3 sealing.recovery[0]'],
  ])('take no other form of them: %s', (written, problem) => {
    expect(told(inDocument(written))).toEqual([problem]);
    expect(problemsOf(inDocument(written))[0]?.text()).not.toContain('QQQQ');
  });

  it('take everything that is built', () => {
    const text = inDocument(
      'targetNamespace: team-b\nsealing: { keys: [ old-key ] }\nplaintextSecrets: warn\nvetoes: { allow: [ key-label, agent-rbac ] }\npage: { listen: ":9000" }',
    ).concat(
      '  sealedSecrets: unseal\n  serviceAccountName: deployer\n  adopt: ask\n  suspend: true\n  wait: false\n  drift: { policy: guard }\n',
      '  skip: [ { kind: Namespace }, { group: apps, kind: Deployment, namespace: x, name: web } ]\n',
    );
    expect(good(text)).toMatchObject({
      targetNamespace: 'team-b',
      sealing: { secretNames: ['old-key'] },
      plaintextSecrets: 'warn',
      liftedVetoes: ['key-label', 'agent-rbac'],
      pageListen: { host: undefined, port: 9000 },
      syncs: [
        {
          sealedSecrets: 'unseal',
          serviceAccountName: 'deployer',
          adopt: 'ask',
          suspend: true,
          wait: false,
          skip: [
            { group: undefined, kind: 'Namespace', namespace: undefined, name: undefined },
            { group: 'apps', kind: 'Deployment', namespace: 'x', name: 'web' },
          ],
        },
      ],
    });
  });
});

describe('variables', () => {
  it('are read as Flux has them', () => {
    const text = inPostBuild(
      'substitute: { env: prod, _n: "3" }\n    substituteFrom:\n    - { kind: ConfigMap, name: vars }\n    - { kind: ConfigMap, name: more, optional: true }\n    substituteStrategy: Always',
    );
    expect(good(text).syncs[0]?.postBuild).toEqual({
      substitute: { env: 'prod', _n: '3' },
      substituteFrom: [
        { name: 'vars', optional: false },
        { name: 'more', optional: true },
      ],
      always: true,
    });
    expect(good(inSync('postBuild: {}')).syncs[0]?.postBuild).toEqual({
      substitute: {},
      substituteFrom: [],
      always: false,
    });
  });

  it.each([
    ['substitute: { count: 3 }', 'SOTTO-CONF-001 11 syncs[0].postBuild.substitute.count'],
    ['substitute: { a-b: x }', 'SOTTO-CONF-001 11 syncs[0].postBuild.substitute.a-b'],
    ['substitute: { "1a": x }', 'SOTTO-CONF-001 11 syncs[0].postBuild.substitute["1a"]'],
    ['substitute: [ a ]', 'SOTTO-CONF-001 11 syncs[0].postBuild.substitute'],
    ['substituteFrom: [ { kind: Secret, name: s } ]', 'SOTTO-RENDER-070 11 syncs[0].postBuild.substituteFrom[0].kind'],
    ['substituteFrom: [ { kind: Pod, name: s } ]', 'SOTTO-CONF-001 11 syncs[0].postBuild.substituteFrom[0].kind'],
    ['substituteFrom: [ { kind: ConfigMap } ]', 'SOTTO-CONF-004 11 syncs[0].postBuild.substituteFrom[0].name'],
    [
      'substituteFrom: [ { kind: ConfigMap, name: A_b } ]',
      'SOTTO-CONF-001 11 syncs[0].postBuild.substituteFrom[0].name',
    ],
    ['substituteStrategy: Never', 'SOTTO-CONF-001 11 syncs[0].postBuild.substituteStrategy'],
    ['substitut: {}', 'SOTTO-CONF-002 11 syncs[0].postBuild.substitut'],
  ])('are refused when they are %s', (line, expected) => {
    expect(told(inPostBuild(line))).toEqual([expected]);
  });

  it('that are numbers are told to be put in quotes', () => {
    expect(problemsOf(inPostBuild('substitute: { count: 3 }'))[0]?.next).toMatch(/quotes/);
  });
});

describe('settings that are bad', () => {
  it('name the unknown field, its line and the nearest known one', () => {
    const [problem] = problemsOf(inSync('intervall: 5m'));
    expect(problem?.text()).toBe(
      'SOTTO-CONF-002: there is no setting syncs[0].intervall (sotto.yaml:10, key syncs[0].intervall) — ' +
        'the nearest known one is interval — write interval, or remove it',
    );
  });

  it('list what is known when nothing is near', () => {
    const [problem] = problemsOf(inSync('decryption: { qqqqqqqq: 1 }'));
    expect(problem?.why).toBe('known here: keys, vault, awsKms, gcpKms, azureKeyVault');
  });

  it('report every unknown field, wherever it stands', () => {
    const text = `${inDocument('foo: 1\nbar: 2')}  source2: 3\n  prune: { shares: 1 }\n  skip: [ { kinds: a, kind: b } ]\n`;
    expect(told(text)).toEqual([
      'SOTTO-CONF-002 3 foo',
      'SOTTO-CONF-002 4 bar',
      'SOTTO-CONF-002 12 syncs[0].source2',
      'SOTTO-CONF-002 13 syncs[0].prune.shares',
      'SOTTO-CONF-002 14 syncs[0].skip[0].kinds',
    ]);
  });

  it.each(['__proto__: { a: 1 }', 'constructor: 1', 'toString: x'])('take no field from the language: %s', (line) => {
    expect(problemsOf(inDocument(line)).map((problem) => problem.code)).toEqual(['SOTTO-CONF-002']);
  });

  it.each([
    ['interval: 10', 'it must be a duration from 100ms to 24d, such as 30s, 10m or 1h30m'],
    ['interval: 0s', 'it must be a duration from 100ms to 24d, such as 30s, 10m or 1h30m'],
    ['interval: -5m', 'it must be a duration from 100ms to 24d, such as 30s, 10m or 1h30m'],
    ['timeout: 30d', 'it must be a duration from 100ms to 24d, such as 30s, 10m or 1h30m'],
    ['serviceAccountName: a:b', 'it must be the name of an object in the namespace, or "" for none'],
    ['adopt: sometimes', 'it must be one of equal, ask, always'],
    ['wait: "yes"', 'it must be true or false'],
    ['prune: 5', 'it must be a mapping'],
    ['prune: { maxShare: 101% }', 'it must be a share from 0% to 100%, such as 50%'],
    ['prune: { maxShare: 50 }', 'it must be a share such as 50%'],
    ['prune: { minimum: 1.5 }', 'it must be a whole number'],
    ['prune: { minimum: -1 }', 'it must be a whole number, not negative'],
    ['prune: { ask: [ pvc ] }', 'it must be a kind such as Job or batch/Job'],
    ['skip: Namespace', 'it must be a list of entries such as kind: Namespace'],
    ['skip: [ Namespace ]', 'it must be a mapping'],
    ['drift: []', 'it must be a mapping'],
    ['decryption: { keys: [ { secretRef: { name: Big } } ] }', 'it must be the name of an object in the namespace'],
  ])('say which form is expected: %s', (line, why) => {
    const problems = problemsOf(inSync(line));
    expect(problems.map((problem) => `${problem.code} ${problem.place.line} ${problem.why}`)).toEqual([
      `SOTTO-CONF-001 10 ${why}`,
    ]);
  });

  it.each(['agent-object', 'foreign-namespace', 'cluster-scope', 'everything'])('never lift the veto %s', (veto) => {
    const [problem] = problemsOf(inDocument(`vetoes: { allow: [ key-mount, ${veto} ] }`));
    expect(problem?.code).toBe('SOTTO-CONF-001');
    expect(problem?.place.key).toBe('vetoes.allow[1]');
    expect(problem?.why).toBe('it must be one of key-mount, agent-account, agent-rbac, key-label');
  });

  it('advise quotes where YAML took a text for something else', () => {
    const [problem] = problemsOf(MINIMAL.replace('branch: main', 'branch: 1.0'));
    expect(problem?.next).toBe('put the value in quotes if it is meant as text');
  });

  it.each(['../other', '/etc', 'a/../../b', 'a\\b', '.git/hooks', '"a\\0b"'])('refuse the path %s', (path) => {
    expect(told(MINIMAL.replace('./deploy/prod', path))).toEqual(['SOTTO-CONF-001 9 syncs[0].path']);
  });

  it.each(['-x', '--upload-pack=x', 'a..b', 'a b', 'refs/heads/main', '.a', 'a.lock', 'a/.b', '"@"', '"a@{1}"', 'a/'])(
    'refuse the branch %s',
    (branch) => {
      expect(told(MINIMAL.replace('branch: main', `branch: ${branch}`))).toEqual([
        'SOTTO-CONF-001 8 syncs[0].source.git.ref.branch',
      ]);
    },
  );

  it.each([
    'git.example.com/app',
    'file:///srv/app.git',
    'https://',
    'https://git.example.com/',
    'https://h/a?x=1',
    'https://h/a b',
    '"ext::sh -c id"',
  ])('refuse the URL %s', (url) => {
    expect(told(MINIMAL.replace('https://git.example.com/team/app.git', url))).toEqual([
      'SOTTO-CONF-001 7 syncs[0].source.git.url',
    ]);
  });

  it('name what is missing, where it should be', () => {
    expect(told('apiVersion: sotto.dev/v1alpha1\nkind: Config\nsyncs:\n- name: app\n  source:\n    git: {}\n')).toEqual(
      [
        'SOTTO-CONF-004 4 syncs[0].path',
        'SOTTO-CONF-004 6 syncs[0].source.git.url',
        'SOTTO-CONF-004 6 syncs[0].source.git.ref',
      ],
    );
    expect(told(MINIMAL.replace('{ branch: main }', '{}'))).toEqual(['SOTTO-CONF-004 8 syncs[0].source.git.ref']);
  });

  it('do not let two syncs have one name', () => {
    const second = MINIMAL.slice(MINIMAL.indexOf('- name'));
    const [problem] = problemsOf(MINIMAL + second);
    expect(problem?.text()).toBe(
      'SOTTO-CONF-005: syncs[1] has the name of syncs[0] (sotto.yaml:10, key syncs[1].name) — ' +
        'the name says in inventory, status and requests which sync is meant — give one of them another name',
    );
  });

  it('do not repeat credentials that stand in a URL', () => {
    const problems = problemsOf(MINIMAL.replace('https://git', 'https://bot:hunter2@git'));
    expect(problems.map((problem) => problem.code)).toEqual(['SOTTO-CONF-007']);
    expect(JSON.stringify(problems) + problems.map((problem) => problem.text()).join()).not.toContain('hunter2');
  });

  it('never repeat a value that may be a credential in the wrong place', () => {
    const problems = problemsOf(
      inSync('adopt: hunter2\n  interval: hunter2\n  wait: hunter2\n  serviceAccountName: hunter2 x'),
    );
    expect(problems).toHaveLength(4);
    expect(JSON.stringify(problems) + problems.map((problem) => problem.text()).join()).not.toContain('hunter2');
  });

  it('do not take two sources or two refs', () => {
    expect(told(MINIMAL.replace('branch: main', 'branch: main, tag: v1'))).toEqual([
      'SOTTO-CONF-006 8 syncs[0].source.git.ref',
      'SOTTO-CONF-003 8 syncs[0].source.git.ref.tag',
    ]);
  });

  it('of another version are not read further', () => {
    expect(told('apiVersion: sotto.dev/v2\nkind: Config\nfoo: 1\n')).toEqual(['SOTTO-CONF-010 1 apiVersion']);
    expect(told('kind: Config\n')).toEqual(['SOTTO-CONF-010 1 apiVersion']);
    expect(told('apiVersion: sotto.dev/v1alpha1\nkind: ConfigMap\n')).toEqual(['SOTTO-CONF-010 2 kind']);
  });

  it.each([
    ['', 'SOTTO-CONF-008'],
    ['- a\n', 'SOTTO-CONF-008'],
    ['just text\n', 'SOTTO-CONF-008'],
    [`${MINIMAL}---\n${MINIMAL}`, 'SOTTO-CONF-008'],
    ['a: [\n', 'SOTTO-YAML-001'],
    [`${MINIMAL}kind: Config\n`, 'SOTTO-YAML-008'],
    [`# ${'x'.repeat(LIMITS.maxSettingsBytes)}`, 'SOTTO-CONF-009'],
  ])('are one YAML mapping or nothing (%#)', (text, code) => {
    expect(problemsOf(text).map((problem) => problem.code)).toEqual([code]);
  });
});

describe('fields of features that are not built', () => {
  const document = ['sealing: { renewEvery: 30d }', 'hooks: { listen: ":9292" }'];
  const sync = ['render: { helm: { releaseName: x } }'];
  const git = ['verify: { mode: HEAD, secretRef: { name: x } }', 'allowInsecure: true'];
  const url = 'https://git.example.com/team/app.git';

  it.each([
    ...document.map(inDocument),
    ...sync.map(inSync),
    ...git.map(inGit),
    ...['tag: v1', 'semver: ">=1"', 'commit: abc', 'name: refs/x'].map((ref) => MINIMAL.replace('branch: main', ref)),
    ...['ssh://git@h/a.git', 'git@h:a.git', 'http://h/a.git'].map((other) => MINIMAL.replace(url, other)),
    MINIMAL.replace(/git:\n.*\n.*\n/, 'oci: { url: oci://x/y }\n'),
    MINIMAL.replace(/git:\n.*\n.*\n/, 'folder: { path: . }\n'),
  ])('are refused by name, never ignored (%#)', (text) => {
    const problems = problemsOf(text);
    expect(problems.map((problem) => problem.code)).toEqual(['SOTTO-CONF-003']);
    expect(problems[0]?.what).toBe(`not in this version: ${problems[0]?.place.key}`);
    expect(problems[0]?.place.line).toBeGreaterThan(2);
  });

  it('are told once, without the mistakes inside of them', () => {
    expect(told(inSync('render: { helm: { relaseName: 5 } }'))).toEqual(['SOTTO-CONF-003 10 syncs[0].render.helm']);
  });

  it('are told as mistakes first when their own form is wrong', () => {
    expect(told(inDocument('sealing: { enabled: maybe }'))).toEqual(['SOTTO-CONF-001 3 sealing.enabled']);
  });
});
