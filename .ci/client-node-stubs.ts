import path from 'node:path';
import type { Plugin } from 'esbuild';

/**
 * Of some libraries one corner is used, but loading them loads everything: with these stubs the Kubernetes client
 * costs about 2 MiB of memory instead of 68 (its generated models alone are a thousand files).
 */
interface Stub {
  /** Path of the file inside node_modules. */
  readonly file?: string;
  /** Or a package, as imported by `importer`. */
  readonly packages?: RegExp;
  readonly importer?: string;
  /** What the importing files take from it. */
  readonly exports: readonly string[];
}

const CLIENT = '@kubernetes/client-node';

const STUBS: readonly Stub[] = [
  // Only reached by makeApiClient: sotto has its own REST layer.
  { file: `${CLIENT}/dist/gen/index.js`, exports: ['createConfiguration', 'ServerConfiguration'] },
  { importer: CLIENT, packages: /^undici$/, exports: ['Agent', 'ProxyAgent'] },
  // proxy-url of a kubeconfig: refused loudly, because the REST layer would pass it by.
  { importer: CLIENT, packages: /^socks-proxy-agent$/, exports: ['SocksProxyAgent'] },
  { importer: CLIENT, packages: /^socks$/, exports: ['SocksClient'] },
  { importer: CLIENT, packages: /^hpagent$/, exports: ['HttpProxyAgent', 'HttpsProxyAgent'] },
  // The auth providers that kubectl dropped in 1.26; exec plugins replaced them.
  { importer: CLIENT, packages: /^jsonpath-plus$/, exports: ['JSONPath'] },
  {
    importer: CLIENT,
    packages: /^openid-client$/,
    exports: ['discovery', 'refreshTokenGrant', 'customFetch'],
  },
  { importer: CLIENT, packages: /^(ws|isomorphic-ws|tar-fs|stream-buffers|form-data|node-fetch)$/, exports: [] },
  // Transports are worker threads: sotto logs to the stream it is given.
  { file: 'pino/lib/transport.js', exports: [] },
  // Cluster mode and push gateway load node:cluster, https and zlib at import; default metrics are not collected.
  { file: 'prom-client/lib/cluster.js', exports: [] },
  { file: 'prom-client/lib/pushgateway.js', exports: [] },
  { file: 'prom-client/lib/defaultMetrics.js', exports: [] },
  { file: 'prom-client/lib/summary.js', exports: [] },
];

const NAMESPACE = 'not-bundled';

export const stubs: Plugin = {
  name: 'stubs',
  setup(build) {
    build.onResolve({ filter: /^[a-z]/ }, ({ path: name, importer }) => {
      const stub = STUBS.find((each) => each.packages?.test(name) && isIn(importer, each.importer));
      return stub === undefined ? undefined : { path: name, namespace: NAMESPACE, pluginData: stub.exports };
    });
    build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path: name, pluginData }) => ({
      contents: stubSource(name, pluginData as readonly string[]),
    }));
    for (const { file, exports } of STUBS) {
      if (file === undefined) continue;
      const filter = new RegExp(`[/\\\\]node_modules[/\\\\]${escape(file)}$`);
      build.onLoad({ filter }, () => ({ contents: stubSource(file, exports) }));
    }
    // client-node imports its whole package.json for the version.
    build.onLoad({ filter: new RegExp(`${escape(`${CLIENT}/package.json`)}$`) }, async ({ path: file }) => {
      const { default: pkg } = (await import(file, { with: { type: 'json' } })) as { default: { version: string } };
      return { contents: JSON.stringify({ version: pkg.version }), loader: 'json' };
    });
  },
};

/** Every export throws when it is called or constructed, by name: better than a part of a library that half works. */
function stubSource(name: string, exports: readonly string[]): string {
  const message = (each: string): string => JSON.stringify(`${name}: ${each} is not built in`);
  const lines = exports.map((each) => `export function ${each}() { throw new Error(${message(each)}); }`);
  return ['export {};', ...lines].join('\n');
}

function isIn(importer: string, packageName: string | undefined): boolean {
  return packageName !== undefined && importer.split(path.sep).join('/').includes(`/node_modules/${packageName}/`);
}

function escape(file: string): string {
  return file.replaceAll(/[.@]/g, '\\$&').replaceAll('/', '[/\\\\]');
}
