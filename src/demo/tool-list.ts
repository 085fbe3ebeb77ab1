import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The stock programs that the tests and the demo run against. */
export type ToolName = keyof typeof RECIPES;

/** How one program is built from its Go tool module, and how it tells its version. */
export interface ToolRecipe {
  /** Folder below `test/tools`. */
  readonly module: string;
  readonly package: string;
  /** The requirement in go.mod whose version is the version of the program. */
  readonly pinnedBy: string;
  /** String variables of the program that hold its version; `v1.2.3` or `1.2.3` is what it prints itself. */
  readonly stamp: (version: string) => Readonly<Record<string, string>>;
  readonly versionArgs: readonly string[];
  /** Oldest version taken from KUBEBUILDER_ASSETS; without it that folder is not looked at. */
  readonly oldestAsset?: string;
}

const KUBE_VERSION = 'k8s.io/component-base/version';
const stampKube = (version: string): Record<string, string> => ({
  [`${KUBE_VERSION}.gitVersion`]: version,
  [`${KUBE_VERSION}.gitMajor`]: version.replace(/^v(\d+)\..*/, '$1'),
  [`${KUBE_VERSION}.gitMinor`]: version.replace(/^v\d+\.(\d+)\..*/, '$1'),
});
const bare = (version: string): string => version.replace(/^v/, '');

const RECIPES = {
  'kube-apiserver': {
    module: 'kubernetes',
    package: 'k8s.io/kubernetes/cmd/kube-apiserver',
    pinnedBy: 'k8s.io/kubernetes',
    stamp: stampKube,
    versionArgs: ['--version'],
    oldestAsset: '1.31.0',
  },
  'kube-controller-manager': {
    module: 'kubernetes',
    package: 'k8s.io/kubernetes/cmd/kube-controller-manager',
    pinnedBy: 'k8s.io/kubernetes',
    stamp: stampKube,
    versionArgs: ['--version'],
    oldestAsset: '1.31.0',
  },
  kubectl: {
    module: 'kubectl',
    package: '.',
    pinnedBy: 'k8s.io/kubectl',
    // The library is 0.x where the program is 1.x.
    stamp: (version) => stampKube(version.replace(/^v0/, 'v1')),
    versionArgs: ['version', '--client'],
  },
  etcd: {
    module: 'etcd',
    package: 'go.etcd.io/etcd/server/v3',
    pinnedBy: 'go.etcd.io/etcd/server/v3',
    stamp: () => ({}),
    versionArgs: ['--version'],
    oldestAsset: '3.5.0',
  },
  kwok: {
    module: 'kwok',
    package: 'sigs.k8s.io/kwok/cmd/kwok',
    pinnedBy: 'sigs.k8s.io/kwok',
    stamp: (version) => ({ 'sigs.k8s.io/kwok/pkg/consts.Version': bare(version) }),
    versionArgs: ['--version'],
  },
  sops: {
    module: 'sops',
    package: 'github.com/getsops/sops/v3/cmd/sops',
    pinnedBy: 'github.com/getsops/sops/v3',
    stamp: (version) => ({ 'github.com/getsops/sops/v3/version.Version': bare(version) }),
    versionArgs: ['--disable-version-check', '--version'],
  },
  age: {
    module: 'sops',
    package: 'filippo.io/age/cmd/age',
    pinnedBy: 'filippo.io/age',
    stamp: (version) => ({ 'main.Version': version }),
    versionArgs: ['--version'],
  },
  'age-keygen': {
    module: 'sops',
    package: 'filippo.io/age/cmd/age-keygen',
    pinnedBy: 'filippo.io/age',
    stamp: (version) => ({ 'main.Version': version }),
    versionArgs: ['--version'],
  },
  kubeseal: {
    module: 'sealed-secrets',
    package: 'github.com/bitnami/sealed-secrets/cmd/kubeseal',
    pinnedBy: 'github.com/bitnami/sealed-secrets',
    stamp: (version) => ({ 'main.VERSION': bare(version) }),
    versionArgs: ['--version'],
  },
  'sealed-secrets-controller': {
    module: 'sealed-secrets',
    package: 'github.com/bitnami/sealed-secrets/cmd/controller',
    pinnedBy: 'github.com/bitnami/sealed-secrets',
    stamp: (version) => ({ 'main.VERSION': bare(version) }),
    versionArgs: ['--version'],
  },
  kustomize: {
    module: 'kustomize',
    package: 'sigs.k8s.io/kustomize/kustomize/v5',
    pinnedBy: 'sigs.k8s.io/kustomize/kustomize/v5',
    stamp: (version) => ({ 'sigs.k8s.io/kustomize/api/provenance.version': version }),
    versionArgs: ['version'],
  },
  'flux-substitute': {
    module: 'flux-substitute',
    package: '.',
    pinnedBy: 'github.com/fluxcd/pkg/envsubst',
    stamp: () => ({}),
    versionArgs: ['--version'],
  },
  transit: {
    module: 'transit',
    package: '.',
    pinnedBy: 'github.com/hashicorp/vault',
    stamp: () => ({}),
    versionArgs: ['--version'],
  },
  helm: {
    module: 'helm',
    package: 'helm.sh/helm/v4/cmd/helm',
    pinnedBy: 'helm.sh/helm/v4',
    stamp: (version) => ({ 'helm.sh/helm/v4/internal/version.version': version }),
    versionArgs: ['version', '--short'],
  },
} as const satisfies Record<string, ToolRecipe>;

export function toolNames(): readonly ToolName[] {
  return Object.keys(RECIPES).filter(isToolName);
}

export function isToolName(text: string): text is ToolName {
  return Object.hasOwn(RECIPES, text);
}

export function recipeOf(tool: ToolName): ToolRecipe {
  return RECIPES[tool];
}

/** A tool with everything that decides what its binary is: two equal keys name the same program. */
export interface PinnedTool {
  readonly tool: ToolName;
  readonly recipe: ToolRecipe;
  readonly moduleFolder: string;
  readonly version: string;
  readonly cacheKey: string;
}

export function pinTool(tool: ToolName, packageRoot: string): PinnedTool {
  const recipe = recipeOf(tool);
  const moduleFolder = join(packageRoot, 'test', 'tools', recipe.module);
  const goMod = readFileSync(join(moduleFolder, 'go.mod'), 'utf8');
  const goSum = readFileSync(join(moduleFolder, 'go.sum'), 'utf8');
  const version = pinnedVersion(goMod, recipe.pinnedBy);
  const hash = createHash('sha256').update(goMod).update('\0').update(goSum);
  // A program of our own around a library.
  const own = readdirSync(moduleFolder).filter((file) => file.endsWith('.go'));
  for (const file of own.toSorted()) hash.update('\0').update(readFileSync(join(moduleFolder, file)));
  const sums = hash.digest('hex').slice(0, 12);
  const cacheKey = `${tool}-${version}-${process.platform}-${process.arch}-${sums}`;
  return { tool, recipe, moduleFolder, version, cacheKey };
}

function pinnedVersion(goMod: string, modulePath: string): string {
  for (const line of goMod.split('\n')) {
    const [path, version] = line
      .replace(/^require /, '')
      .trim()
      .split(/\s+/);
    if (path === modulePath && version !== undefined && /^v\d/.test(version)) return version;
  }
  throw new Error(`go.mod does not require ${modulePath}`);
}

/** -1, 0 or 1 by the three numbers; what stands behind them does not count. */
export function compareVersions(a: string, b: string): number {
  const left = numbersOf(a);
  const right = numbersOf(b);
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return 0;
}

function numbersOf(version: string): readonly number[] {
  const found = /(\d+)\.(\d+)\.(\d+)/.exec(version);
  return found === null ? [] : found.slice(1, 4).map(Number);
}
