import { ComposedRef, secretRefs, type SecretRef } from '../../core/closed.ts';
import type { SottoError } from '../../core/errors.ts';
import type { SourceDigest } from '../../core/ids.ts';
import type { FingerprintKey } from '../../keys/fingerprint.ts';
import type { Opener } from '../../open/opener.ts';
import type { SealedRule } from '../../open/sealed-document.ts';
import type { StoredTokens } from '../../plan/inventory.ts';
import { build } from '../../render/kustomize/build.ts';
import type { Renderer } from '../../render/kustomize/renderer.ts';
import { noRenderer } from '../../render/kustomize/renderer-failure.ts';
import { refsOf } from '../../render/tokens/pieces.ts';
import type { Token } from '../../render/tokens/token.ts';
import type { Settings } from '../../settings/settings.ts';
import { mayHoldSecrets, notPassedThrough } from '../build-stage.ts';
import type { Said } from '../said.ts';
import { BlindOpener } from './blind-opener.ts';
import { openWhatFits } from './open-files.ts';
import type { SyncFiles } from './sync-files.ts';

export interface SaidContext {
  readonly settings: Settings;
  readonly namespace: string;
  readonly opener: Opener;
  readonly renderer: Renderer | undefined;
  /** Any: the agent's own is in its namespace. What changed has other tokens, and so other hashes, than there. */
  readonly key: FingerprintKey;
  /** What the agent has made of files, as far as its inventory may be read. */
  readonly tokens: readonly StoredTokens[];
  readonly sealed: SealedRule;
}

export type PartlySaid = Said & { readonly unopened: ReadonlyMap<SourceDigest, SottoError> };

/** What a checkout says at the path of a sync, with values or without. */
export async function saidBy(
  { sync, files, refusals, kustomize }: SyncFiles,
  context: SaidContext,
): Promise<PartlySaid> {
  const unopened = new Map<SourceDigest, SottoError>();
  if (kustomize === undefined) {
    const opened = await openWhatFits(files, context);
    return { ok: true, ...opened, refusals: [...opened.refusals, ...refusals], warnings: [] };
  }
  const { scanned, find } = kustomize;
  if (sync.sealedSecrets === 'passthrough') return { ok: false, errors: [notPassedThrough()], unopened };
  if (!scanned.ok) return { ok: false, errors: scanned.refusals, unopened };
  const { renderer, settings, namespace, key, tokens } = context;
  if (renderer === undefined) return { ok: false, errors: [noRenderer()], unopened };
  const opener = new BlindOpener(context.opener);
  const built = await build(scanned.result, find, {
    key,
    opener,
    namespace,
    renderer,
    plaintextSecrets: settings.plaintextSecrets,
    allowed: { mayHoldSecrets: (object) => mayHoldSecrets(object, sync.secretsIn) },
    recall: (digest) => {
      const known = tokens.find((each) => each.digest === digest);
      return known && { ...known, tokens: known.tokens.map((token) => token as Token | '') };
    },
  });
  if (!built.ok) return { ...built, unopened };
  for (const { tree, digest } of built.documents) {
    const bySource = new Map(secretRefs(tree).flatMap(({ ref }) => refsBehind(ref).map((each) => [each.source, each])));
    for (const ref of bySource.values()) {
      const error = await opener.missing(ref);
      if (error !== undefined) unopened.set(digest, error);
    }
  }
  const { documents, refusals: refused, warnings } = built;
  return { ok: true, documents, refusals: refused, warnings, unopened };
}

function refsBehind(ref: SecretRef): readonly SecretRef[] {
  return ref instanceof ComposedRef ? refsOf(ref.pieces) : [ref];
}
