import { asSottoError, type SottoError } from '../../core/errors.ts';
import type { Json } from '../../core/json.ts';
import { kubeError } from '../../kube/errors.ts';
import { getObject } from '../../kube/objects.ts';
import { CONFIG_MAPS } from '../../kube/resource.ts';
import type { Transport } from '../../kube/transport.ts';
import { substituteDocuments } from '../../render/substitute/documents.ts';
import { collectVariables, isSubstituting } from '../../render/substitute/variables.ts';
import type { PostBuildSettings, SyncSettings } from '../../settings/settings.ts';
import type { PartlyOpened } from './open-files.ts';

export interface VariablesContext {
  readonly transport: Transport;
  readonly targetNamespace: string;
  readonly signal?: AbortSignal | undefined;
  readonly user?: string | undefined;
}

/** What was opened, with the variables of the sync replaced; an error when they are not certain. */
export async function previewVariables(
  opened: PartlyOpened,
  { postBuild }: SyncSettings,
  context: VariablesContext,
): Promise<PartlyOpened | SottoError> {
  if (postBuild === undefined) return opened;
  try {
    const maps = await liveMaps(postBuild, context);
    const variables = collectVariables(postBuild, (name) => maps.get(name));
    if (!isSubstituting(postBuild, variables)) return opened;
    const { documents, refusals, before } = substituteDocuments(opened.documents, variables, context.targetNamespace);
    const unopened = new Map(opened.unopened);
    for (const [digest, old] of before) {
      const error = opened.unopened.get(old);
      if (error !== undefined) unopened.set(digest, error);
    }
    return { documents, refusals: [...opened.refusals, ...refusals], unopened };
  } catch (thrown) {
    return asSottoError(thrown);
  }
}

async function liveMaps(
  postBuild: PostBuildSettings,
  { transport, targetNamespace, signal, user }: VariablesContext,
): Promise<ReadonlyMap<string, Json>> {
  const found = new Map<string, Json>();
  for (const { name } of postBuild.substituteFrom) {
    const target = { resource: CONFIG_MAPS, namespace: targetNamespace, name, signal };
    const answer = await getObject(transport, target);
    if (!answer.ok) throw kubeError(answer.failure, { ...target, verb: 'get', user });
    if (answer.value !== undefined) found.set(name, answer.value);
  }
  return found;
}
