import { SottoError } from '../../core/errors.ts';
import type { ObjectKey } from '../../core/ids.ts';
import { fingerprintKey, newFingerprintBytes } from '../../keys/fingerprint.ts';
import type { ResourceCatalog } from '../../kube/discovery.ts';
import type { Transport } from '../../kube/transport.ts';
import type { Opener } from '../../open/opener.ts';
import type { Inventory, InventoryRow } from '../../plan/inventory.ts';
import { ordered } from '../../plan/ordering.ts';
import type { Renderer } from '../../render/kustomize/renderer.ts';
import { render } from '../../render/render.ts';
import type { VetoRules } from '../../render/veto-rules.ts';
import type { Settings, SyncSettings } from '../../settings/settings.ts';
import { previewedSealedRule } from '../sealed-rule.ts';
import { askVetoRules } from '../veto-rules.ts';
import type { SyncWish } from './plan-syncs.ts';
import { type PartlySaid, saidBy } from './said.ts';
import type { SyncFiles } from './sync-files.ts';
import { previewVariables, type VariablesContext } from './variables.ts';

export interface WishContext {
  readonly transport: Transport;
  readonly catalog: ResourceCatalog;
  readonly agentNamespace: string;
  readonly settings: Settings;
  readonly opener: Opener;
  /** Undefined where there is no kustomize. */
  readonly renderer: Renderer | undefined;
  readonly signal?: AbortSignal | undefined;
  /** As the kubeconfig calls who asks. */
  readonly user?: string | undefined;
}

export interface Wishes {
  readonly wishes: readonly SyncWish[];
  /** Paths of syncs that cannot be applied as a whole. */
  readonly refusedPaths: readonly SottoError[];
}

/** What the syncs want, as their files say it; `recorded` is what the agent has made of them before, if anything. */
export async function askWishes(
  syncs: readonly SyncFiles[],
  context: WishContext,
  recorded: Pick<Inventory, 'rows' | 'tokens'> | undefined,
): Promise<Wishes> {
  const { settings, agentNamespace, catalog } = context;
  const vetoes = await askVetoRules(context.transport, settings, agentNamespace);
  const key = fingerprintKey(newFingerprintBytes());
  const row = (of: ObjectKey): InventoryRow | undefined => recorded?.rows.get(of);
  const namespace = settings.targetNamespace ?? agentNamespace;
  const wanted = await Promise.all(
    syncs
      .filter(({ refusal }) => refusal === undefined)
      .map(async (files) => {
        const tokens = recorded?.tokens[files.sync.name] ?? [];
        const sealed = previewedSealedRule({ catalog: () => catalog, row }, files.sync.sealedSecrets);
        const said = await saidBy(files, { ...context, namespace, key, tokens, sealed });
        return { files, said: await varied(said, files.sync, { ...context, targetNamespace: namespace }) };
      }),
  );
  return {
    wishes: wanted.flatMap(({ files, said }) => (said.ok ? [wishOf(files, said, vetoes, context)] : [])),
    refusedPaths: [
      ...syncs.flatMap(({ refusal }) => (refusal === undefined ? [] : [refusal])),
      ...wanted.flatMap(({ said }) => (said.ok ? [] : said.errors)),
    ],
  };
}

/** With the variables of the sync replaced. When they are not certain nothing of the sync is. */
async function varied(said: PartlySaid, sync: SyncSettings, context: VariablesContext): Promise<PartlySaid> {
  if (!said.ok) return said;
  const replaced = await previewVariables(said, sync, context);
  return replaced instanceof SottoError
    ? { ok: false, errors: [replaced], unopened: said.unopened }
    : { ...said, ...replaced };
}

function wishOf(
  { sync }: SyncFiles,
  said: PartlySaid & { readonly ok: true },
  vetoes: VetoRules,
  context: WishContext,
): SyncWish {
  const { settings, catalog, agentNamespace } = context;
  const rendered = render(said.documents, {
    targetNamespace: settings.targetNamespace ?? agentNamespace,
    plaintextSecrets: settings.plaintextSecrets,
    skip: sync.skip,
    vetoes,
    isNamespaced: (apiVersion, kind) => catalog.find(apiVersion, kind)?.namespaced,
  });
  const { desired } = ordered(rendered, said.refusals);
  const warnings = [...said.warnings, ...desired.warnings];
  return { sync, desired: { ...desired, warnings }, refusals: said.refusals, unopened: said.unopened };
}
