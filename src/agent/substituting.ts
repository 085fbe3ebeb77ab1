import type { ClosedDocument } from '../open/document.ts';
import { type SubstitutedDocuments, substituteDocuments } from '../render/substitute/documents.ts';
import { collectVariables, isSubstituting } from '../render/substitute/variables.ts';
import type { AgentContext } from './context.ts';
import type { SyncRuntime } from './sync-runtime.ts';

/**
 * The documents of a sync with their variables replaced, as its postBuild says. Throws SottoError when the variables
 * are not certain: then no object of the sync is, and nothing is decided.
 */
export async function withVariables(
  agent: AgentContext,
  sync: SyncRuntime,
  documents: readonly ClosedDocument[],
): Promise<Omit<SubstitutedDocuments, 'before'>> {
  const { postBuild } = sync.settings;
  if (postBuild === undefined) return { documents, refusals: [] };
  const maps = await agent.configMaps(postBuild.substituteFrom.map(({ name }) => name));
  const variables = collectVariables(postBuild, (name) => maps.get(name));
  if (!isSubstituting(postBuild, variables)) return { documents, refusals: [] };
  return substituteDocuments(documents, variables, agent.place.targetNamespace);
}
