import type { CanarySet } from './memory-scan.ts';
import { createCanaries } from './memory-scan.ts';
import type { DemoCodecs } from './options.ts';

/** An object of the demo's repository, and how its live form is recognised. */
export interface DemoObject {
  /** As people type it: `Deployment/web`. */
  readonly name: string;
  readonly file: string;
  /** Path of its collection below the namespace, with the API group: `/api/v1 configmaps`. */
  readonly api: string;
  readonly plural: string;
}

const object = (kind: string, name: string, api: string, file: string): DemoObject => ({
  name: `${kind}/${name}`,
  file: `deploy/${file}`,
  api,
  plural: `${kind.toLowerCase()}s`,
});

export const OBJECTS = {
  config: object('ConfigMap', 'web', '/api/v1', 'web-config.yaml'),
  banner: object('ConfigMap', 'banner', '/api/v1', 'banner.yaml'),
  account: object('ServiceAccount', 'web', '/api/v1', 'web.yaml'),
  deployment: object('Deployment', 'web', '/apis/apps/v1', 'web.yaml'),
  service: object('Service', 'web', '/api/v1', 'web.yaml'),
  report: object('CronJob', 'report', '/apis/batch/v1', 'report.yaml'),
  database: object('Secret', 'database', '/api/v1', 'database.yaml'),
  mail: object('Secret', 'mail', '/api/v1', 'mail.json'),
  payment: object('Secret', 'payment', '/api/v1', 'payment.yaml'),
} as const satisfies Record<string, DemoObject>;

export function pathOf({ api, plural, name }: DemoObject, namespace: string): string {
  return `${api}/namespaces/${namespace}/${plural}/${name.split('/')[1] ?? ''}`;
}

/** The secrets of the demo: made for this run, so that each one can be searched for afterwards. */
export interface DemoSecrets extends CanarySet {
  readonly databasePassword: string;
  readonly databaseUrl: string;
  readonly mailPassword: string;
  readonly paymentKey: string;
  readonly paymentWebhook: string;
}

export function createSecrets(): DemoSecrets {
  const { prefix, values } = createCanaries(5);
  const [databasePassword = '', databaseUrl = '', mailPassword = '', paymentKey = '', paymentWebhook = ''] = values;
  return { prefix, values, databasePassword, databaseUrl, mailPassword, paymentKey, paymentWebhook };
}

export type Files = Readonly<Record<string, string>>;

export interface SecretFileKeys {
  readonly recipient: string;
  readonly certificatePem: string;
  readonly namespace: string;
}

/** Two SOPS files (YAML and JSON) and one SealedSecret. The plaintext is only in this process. */
export async function encryptedFiles(codecs: DemoCodecs, secrets: DemoSecrets, keys: SecretFileKeys): Promise<Files> {
  const { database, mail, payment } = OBJECTS;
  const databaseText = yamlSecret('database', [
    ['password', secrets.databasePassword],
    ['url', secrets.databaseUrl],
  ]);
  const mailObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'mail' },
    stringData: { password: secrets.mailPassword },
  };
  const paymentText = yamlSecret('payment', [
    ['api-key', secrets.paymentKey],
    ['webhook-secret', secrets.paymentWebhook],
  ]);
  const mailText = `${JSON.stringify(mailObject, undefined, 2)}\n`;
  return {
    [database.file]: await codecs.encrypt(databaseText, database.file, keys.recipient),
    [mail.file]: await codecs.encrypt(mailText, mail.file, keys.recipient),
    [payment.file]: await codecs.seal(withNamespace(paymentText, keys.namespace), payment.file, keys.certificatePem),
  };
}

function yamlSecret(name: string, entries: readonly (readonly [string, string])[]): string {
  const lines = entries.map(([key, value]) => `  ${key}: ${value}\n`).join('');
  return `apiVersion: v1\nkind: Secret\nmetadata:\n  name: ${name}\nstringData:\n${lines}`;
}

function withNamespace(text: string, namespace: string): string {
  return text.replace('\nstringData:', `\n  namespace: ${namespace}\nstringData:`);
}

export const GREETINGS = { first: 'hello', second: 'hello again' } as const;
export const REPLICAS = { first: 1, second: 2 } as const;

export function configFile(greeting: string): Files {
  const text = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  greeting: ${greeting}\n`;
  return { [OBJECTS.config.file]: text };
}

export const BANNER: Files = {
  [OBJECTS.banner.file]: 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: banner\ndata:\n  text: open all night\n',
};

/** A slip of the finger: the value of line 6 begins a mapping that line 7 does not fit into. */
export const BROKEN_BANNER: Files = {
  [OBJECTS.banner.file]:
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: banner\ndata:\n  text: closed\n   color: red\n',
};

export const REPORT: Files = {
  [OBJECTS.report.file]: `apiVersion: batch/v1
kind: CronJob
metadata:
  name: report
spec:
  schedule: "0 4 * * *"
  suspend: true
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
          - name: report
            image: registry.k8s.io/pause:3.10
`,
};

export function webFile(replicas: number): Files {
  return {
    [OBJECTS.deployment.file]: `apiVersion: v1
kind: ServiceAccount
metadata:
  name: web
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: ${replicas}
  selector:
    matchLabels: { app: web }
  template:
    metadata:
      labels: { app: web }
    spec:
      serviceAccountName: web
      automountServiceAccountToken: false
      containers:
      - name: web
        image: registry.k8s.io/pause:3.10
        envFrom:
        - secretRef: { name: database }
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: { app: web }
  ports:
  - port: 80
`,
  };
}

/** What someone does who changes a SOPS file without sops: one character of a ciphertext. */
export function tampered(sopsText: string): string {
  const at = sopsText.indexOf('ENC[AES256_GCM,data:') + 'ENC[AES256_GCM,data:'.length;
  const changed = sopsText.charAt(at) === 'A' ? 'B' : 'A';
  return sopsText.slice(0, at) + changed + sopsText.slice(at + 1);
}

export function readmeFiles(recipient: string): Files {
  return {
    'README.md': '# The repository of the demo\n\nEverything below deploy/ is what runs.\n',
    '.sops.yaml': `creation_rules:\n- path_regex: ^deploy/\n  encrypted_regex: ^(data|stringData)$\n  age: ${recipient}\n`,
  };
}
