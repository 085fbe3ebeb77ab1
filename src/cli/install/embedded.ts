import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findUpwards } from '../working-tree.ts';
import { type DeployManifests, readDeploy } from './manifests.ts';

/** JSON of `readDeploy`; .ci/build.ts puts it in the place of this name. Run from the sources there is none. */
declare const SOTTO_DEPLOY: string | undefined;

export async function deployManifests(): Promise<DeployManifests> {
  if (typeof SOTTO_DEPLOY === 'string') return JSON.parse(SOTTO_DEPLOY) as DeployManifests;
  const program = realpathSync(process.argv[1] ?? '.');
  const root = await findUpwards(dirname(program), 'deploy/base/kustomization.yaml');
  if (root === undefined) throw new TypeError('deploy/ was not found beside the sources');
  return readDeploy((file) => readFileSync(join(root, 'deploy', file), 'utf8'));
}
