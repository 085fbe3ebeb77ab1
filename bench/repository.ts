import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';

/** The objects of a benchmark: 60 % ConfigMaps, 20 % Secrets in SOPS files, 10 % Deployments, 10 % Services. */
export interface RepositoryContent {
  /** Path in the repository to text; one object a file, ten objects a folder, as an application has it. */
  readonly files: Readonly<Record<string, string>>;
  readonly configMaps: readonly string[];
  readonly secrets: number;
}

export interface SopsTools {
  readonly sops: string;
  readonly 'age-keygen': string;
}

export interface AgeKeyPair {
  readonly recipient: string;
  readonly identity: string;
}

const PER_APP = 10;
const ENCRYPTED_AT_ONCE = 4;

/** As long as a real one: a few settings and a file. */
export function configMapFile(name: string, revision: number): string {
  return `apiVersion: v1
kind: ConfigMap
metadata:
  name: ${name}
  labels: { app.kubernetes.io/name: ${name}, app.kubernetes.io/part-of: bench }
data:
  revision: "${revision}"
  LOG_LEVEL: info
  HTTP_PORT: "8080"
  DATABASE_HOST: postgres.${name}.svc.cluster.local
  application.properties: |
    server.shutdown=graceful
    server.max-http-request-header-size=16KB
    spring.datasource.hikari.maximum-pool-size=20
    management.endpoints.web.exposure.include=health,prometheus
    cache.ttl.seconds=300
`;
}

export function configMapPath(name: string): string {
  return `deploy/${name.slice(0, 'app-0000'.length)}/${name}.yaml`;
}

/** `objects` is a multiple of ten. Secrets are encrypted by stock sops, each file with a data key of its own. */
export async function repositoryOf(objects: number, recipient: string, tools: SopsTools): Promise<RepositoryContent> {
  const files: Record<string, string> = {};
  const configMaps: string[] = [];
  const plainSecrets: { path: string; text: string }[] = [];
  for (let app = 0; app < objects / PER_APP; app++) {
    const name = `app-${String(app).padStart(4, '0')}`;
    for (let i = 0; i < 6; i++) configMaps.push(`${name}-config-${i}`);
    for (let i = 0; i < 2; i++)
      plainSecrets.push({ path: `deploy/${name}/secret-${i}.yaml`, text: secretFile(`${name}-secret-${i}`) });
    files[`deploy/${name}/deployment.yaml`] = deploymentFile(name);
    files[`deploy/${name}/service.yaml`] = serviceFile(name);
  }
  for (const name of configMaps) files[configMapPath(name)] = configMapFile(name, 0);
  await inTurns(plainSecrets, async ({ path, text }) => {
    files[path] = await encryptYaml(text, recipient, tools);
  });
  return { files, configMaps, secrets: plainSecrets.length };
}

export async function inTurns<T>(tasks: readonly T[], run: (task: T) => Promise<void>): Promise<void> {
  const waiting = [...tasks];
  const runSome = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await run(next);
  };
  await Promise.all(Array.from({ length: ENCRYPTED_AT_ONCE }, runSome));
}

export function value(): string {
  return randomBytes(24).toString('hex');
}

export function secretFile(name: string): string {
  return `apiVersion: v1
kind: Secret
metadata:
  name: ${name}
type: Opaque
stringData:
  username: user-${value()}
  password: ${value()}
  dsn: postgres://user:${value()}@postgres:5432/app
`;
}

export function serviceFile(name: string): string {
  return `apiVersion: v1
kind: Service
metadata:
  name: ${name}
  labels: { app.kubernetes.io/name: ${name} }
spec:
  selector: { app.kubernetes.io/name: ${name} }
  clusterIP: None
  ports:
  - { name: http, port: 80, targetPort: http }
  - { name: metrics, port: 9090, targetPort: metrics }
`;
}

export function deploymentFile(name: string): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
  labels: { app.kubernetes.io/name: ${name} }
spec:
  replicas: 2
  selector:
    matchLabels: { app.kubernetes.io/name: ${name} }
  template:
    metadata:
      labels: { app.kubernetes.io/name: ${name} }
    spec:
      containers:
      - name: app
        image: registry.example.com/${name}:1.4.2
        ports:
        - { name: http, containerPort: 8080 }
        - { name: metrics, containerPort: 9090 }
        env:
        - name: LOG_LEVEL
          valueFrom: { configMapKeyRef: { name: ${name}-config-0, key: LOG_LEVEL } }
        - name: PASSWORD
          valueFrom: { secretKeyRef: { name: ${name}-secret-0, key: password } }
        resources:
          requests: { cpu: 50m, memory: 64Mi }
          limits: { memory: 256Mi }
        readinessProbe:
          httpGet: { path: /ready, port: http }
          periodSeconds: 10
        volumeMounts:
        - { name: config, mountPath: /etc/app }
      volumes:
      - name: config
        configMap: { name: ${name}-config-1 }
`;
}

export async function newAgeKeyPair(tools: SopsTools): Promise<AgeKeyPair> {
  const text = await outputOf(tools['age-keygen'], []);
  const recipient = /age1[0-9a-z]+/.exec(text)?.[0];
  const identity = /AGE-SECRET-KEY-1[0-9A-Z]+/.exec(text)?.[0];
  if (recipient === undefined || identity === undefined) throw new Error('age-keygen printed no key pair');
  return { recipient, identity };
}

/** The values of a Secret; the rest stays readable. */
export function encryptYaml(text: string, recipient: string, { sops }: SopsTools): Promise<string> {
  const args = ['encrypt', '--age', recipient, '--encrypted-regex', '^(data|stringData)$'];
  return outputOf(sops, [...args, '--filename-override', 'secret.yaml'], text);
}

/** All of the file: the input of a generator. */
export function encryptEnv(text: string, recipient: string, { sops }: SopsTools): Promise<string> {
  return outputOf(sops, ['encrypt', '--age', recipient, '--filename-override', 'secret.env'], text);
}

export async function outputOf(
  program: string,
  args: readonly string[],
  input = '',
  keys: Readonly<Record<string, string>> = {},
): Promise<string> {
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', ...keys };
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => void (output += piece));
  child.stderr.setEncoding('utf8').on('data', (piece: string) => void (complaint += piece));
  // A program that reads nothing may have ended: its exit code counts.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // age-keygen tells the recipient beside the key, on the other stream.
  if (code === 0) return output + (program.endsWith('age-keygen') ? complaint : '');
  throw new Error(`${program} ended with ${String(code)}: ${complaint}`);
}
