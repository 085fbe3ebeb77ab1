import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';

// The floor for "edit to restored": the simplest client there can be. It watches the ConfigMaps of a namespace and
// sends the same PATCH whenever the value is not the wanted one. It judges nothing and remembers nothing.
// Usage: node bench/floor.ts KUBECONFIG NAMESPACE NAME VALUE

const [kubeconfigPath = '', namespace = '', name = '', wanted = ''] = process.argv.slice(2);

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: Readonly<Record<'server' | 'certificate-authority-data', string>> }[];
  readonly users: readonly { readonly user: { readonly token: string } }[];
}

const kubeconfig = JSON.parse(readFileSync(kubeconfigPath, 'utf8')) as Kubeconfig;
const cluster = kubeconfig.clusters[0]?.cluster ?? { server: '', 'certificate-authority-data': '' };
const ca = Buffer.from(cluster['certificate-authority-data'], 'base64');
const authorization = `Bearer ${kubeconfig.users[0]?.user.token ?? ''}`;
const collection = `${cluster.server}/api/v1/namespaces/${namespace}/configmaps`;
const agent = new Agent({ ca, keepAlive: true });
const body = JSON.stringify({ data: { LOG_LEVEL: wanted } });

function restore(): void {
  const headers = { authorization, 'content-type': 'application/merge-patch+json' };
  const outgoing = request(`${collection}/${name}`, { method: 'PATCH', agent, headers }, (incoming) =>
    incoming.resume(),
  );
  outgoing.end(body);
}

interface WatchEvent {
  readonly object: { readonly metadata: { readonly name: string }; readonly data?: Readonly<Record<string, string>> };
}

request(`${collection}?watch=1`, { agent, headers: { authorization } }, (incoming) => {
  let rest = '';
  incoming.setEncoding('utf8').on('data', (piece: string) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const { object } = JSON.parse(line) as WatchEvent;
      if (object.metadata.name === name && object.data?.['LOG_LEVEL'] !== wanted) restore();
    }
  });
}).end();
