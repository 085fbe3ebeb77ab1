import {
  type AgeKeyPair,
  configMapFile,
  deploymentFile,
  encryptEnv,
  encryptYaml,
  inTurns,
  secretFile,
  serviceFile,
  type SopsTools,
  value,
} from './repository.ts';

/** A repository whose folder `deploy` is a kustomization. */
export interface KustomizedContent {
  /** Path in the repository to text. */
  readonly files: Readonly<Record<string, string>>;
  /** Folders of overlays that can be built for themselves. */
  readonly overlays: readonly string[];
  /** Objects of the whole build. */
  readonly objects: number;
}

/** One base with a SOPS Secret; every overlay prefixes its names and generates a Secret from an encrypted env file. */
export async function overlaysOf(
  count: number,
  { recipient }: AgeKeyPair,
  tools: SopsTools,
): Promise<KustomizedContent> {
  const names = Array.from({ length: count }, (_each, index) => `overlay-${String(index).padStart(3, '0')}`);
  const files: Record<string, string> = {
    'base/kustomization.yaml': 'resources: [secret.yaml, config.yaml, deployment.yaml, service.yaml]\n',
    'base/secret.yaml': await encryptYaml(secretFile('app-secret-0'), recipient, tools),
    'base/config.yaml': configMapFile('app-config-1', 0),
    'base/deployment.yaml': deploymentFile('app'),
    'base/service.yaml': serviceFile('app'),
    'deploy/kustomization.yaml': kustomization(names),
  };
  await inTurns(names, async (name) => {
    files[`deploy/${name}/kustomization.yaml`] = overlayFile(name);
    files[`deploy/${name}/app.env`] = await encryptEnv(`TOKEN=${value()}\nPASSWORD=${value()}\n`, recipient, tools);
  });
  return { files, overlays: names.map((name) => `deploy/${name}`), objects: count * 5 };
}

function overlayFile(name: string): string {
  return `namePrefix: ${name}-
resources: [../../base]
secretGenerator:
- name: app-env
  envs: [app.env]
`;
}

/** What makes a kustomization of these files: one in each folder that names its files, one that names the folders. */
export function kustomizationsOf(paths: readonly string[]): Record<string, string> {
  const byFolder = new Map<string, string[]>();
  for (const path of paths) {
    const [, folder = '', file = ''] = path.split('/');
    byFolder.set(folder, [...(byFolder.get(folder) ?? []), file]);
  }
  const folders = [...byFolder].map(([folder, names]) => [`deploy/${folder}/kustomization.yaml`, kustomization(names)]);
  return { ...Object.fromEntries(folders), 'deploy/kustomization.yaml': kustomization([...byFolder.keys()]) };
}

function kustomization(resources: readonly string[]): string {
  return `resources:\n${resources.map((each) => `- ${each}\n`).join('')}`;
}
