import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { makeSealingCertificate } from '../src/sealed/make-certificate.ts';

/**
 * `node_modules/.bin/node keys.example/make.ts [FOLDER]` makes one Secret of each kind that the agent reads, with new
 * keys. Those in this folder are published with it: they open nothing, and nothing may be encrypted for them.
 */
const FOLDER = process.argv[2] ?? import.meta.dirname;

interface Example {
  readonly file: string;
  readonly about: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly entries: Readonly<Record<string, string | Uint8Array>>;
}

const STOCK = { 'sealedsecrets.bitnami.com/sealed-secrets-key': 'active' };
const GIT = {
  labels: { 'sotto.dev/use': 'git' },
  annotations: { 'sotto.dev/for': 'https://git.example.com/team/app.git' },
};

async function examples(): Promise<readonly Example[]> {
  const [first, second, third] = [await ageKey(), await ageKey(), await ageKey()];
  const [stock, named] = [await sealingKey(), await sealingKey()];
  return [
    {
      file: 'age.yaml',
      about: 'An age key that the settings name: decryption: { keys: [ { secretRef: { name: sops-age } } ] }',
      name: 'sops-age',
      entries: { 'age.agekey': first },
    },
    {
      file: 'age-labelled.yaml',
      about: 'Age keys that are found by their label; two, as while one replaces the other.',
      name: 'age-2026',
      labels: { 'sotto.dev/use': 'keys' },
      entries: { 'new.agekey': second, 'old.agekey': third },
    },
    {
      file: 'sealing-stock.yaml',
      about: 'A key of the SealedSecrets controller, as that makes it or a backup holds it.',
      name: 'sealed-secrets-keyx7k2p',
      labels: STOCK,
      type: 'kubernetes.io/tls',
      entries: stock,
    },
    {
      file: 'sealing-named.yaml',
      about: 'A key that may also seal, because the settings name it: sealing: { keys: [ sealing-2026 ] }',
      name: 'sealing-2026',
      type: 'kubernetes.io/tls',
      entries: named,
    },
    { file: 'git-basic.yaml', about: 'Git with user and password or token.', name: 'git-auth', ...GIT, entries: { username: 'git', password: word() } },
    { file: 'git-bearer.yaml', about: 'Git with a bearer token.', name: 'git-bearer', ...GIT, entries: { bearerToken: word() } },
    {
      file: 'git-ca.yaml',
      about: 'Git behind a certificate authority of your own; beside any of the two above, or alone.',
      name: 'git-ca',
      ...GIT,
      entries: { 'ca.crt': stock['tls.crt'] },
    },
    {
      file: 'fingerprint.yaml',
      about: 'The key of placeholders, inventory and status. The agent makes it; this is what its backup looks like.',
      name: 'sotto-fingerprint',
      labels: { 'app.kubernetes.io/managed-by': 'sotto' },
      entries: { key: randomBytes(32) },
    },
  ];
}

/** As age-keygen writes it. */
async function ageKey(): Promise<string> {
  const identity = await generateIdentity();
  return `# public key: ${await identityToRecipient(identity)}\n${identity}\n`;
}

async function sealingKey() {
  const { keyPem, certificatePem } = await makeSealingCertificate({ now: new Date() });
  return { 'tls.crt': certificatePem, 'tls.key': Buffer.from(keyPem.reveal()) };
}

function word(): string {
  return `example-${randomBytes(9).toString('base64url')}`;
}

function manifestOf(example: Example): string {
  const marks = (['labels', 'annotations'] as const).flatMap((field) => {
    const entries = Object.entries(example[field] ?? {});
    return entries.length === 0 ? [] : [`  ${field}:`, ...entries.map(([key, value]) => `    ${key}: ${value}`)];
  });
  const data = Object.entries(example.entries).map(([key, value]) => `  ${key}: ${Buffer.from(value).toString('base64')}`);
  return [
    `# ${example.about}`,
    '# An example: its key is published, so encrypt nothing for it. Made by keys.example/make.ts.',
    'apiVersion: v1',
    'kind: Secret',
    'metadata:',
    `  name: ${example.name}`,
    '  namespace: team-app',
    ...marks,
    `type: ${example.type ?? 'Opaque'}`,
    'data:',
    ...data,
    '',
  ].join('\n');
}

for (const example of await examples()) writeFileSync(join(FOLDER, example.file), manifestOf(example));
