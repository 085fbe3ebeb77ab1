import { sourceDigest } from '../core/digest.ts';
import { SottoError } from '../core/errors.ts';
import { type JsonObject, stringAt } from '../core/json.ts';
import { groupOf } from '../core/ids.ts';
import type { Opener } from '../open/opener.ts';
import { build, type BuildContext, buildDigest, type Built } from '../render/kustomize/build.ts';
import type { Find } from '../render/kustomize/file-tree.ts';
import { noRenderer } from '../render/kustomize/renderer-failure.ts';
import type { ScanResult } from '../render/kustomize/scan-result.ts';
import type { SyncSettings } from '../settings/settings.ts';
import type { AgentContext } from './context.ts';
import { openSnapshot } from './pass-stages.ts';
import type { Wanted } from './reach.ts';
import type { Said } from './said.ts';
import type { SyncRuntime } from './sync-runtime.ts';

/** Files as they are, or what their kustomization makes of them. */
export async function readSnapshot(
  agent: AgentContext,
  sync: SyncRuntime,
  snapshot: Wanted,
  opener: Opener,
): Promise<Said> {
  if (snapshot.kustomize !== undefined) return buildSnapshot(agent, sync, snapshot.kustomize, opener);
  sync.built = undefined;
  agent.inventory.setTokens(sync.settings.name, []);
  const { documents, refusals } = await openSnapshot(agent, sync, snapshot, opener);
  return { ok: true, documents, refusals, warnings: [] };
}

async function buildSnapshot(
  agent: AgentContext,
  sync: SyncRuntime,
  { scanned, find }: NonNullable<Wanted['kustomize']>,
  opener: Opener,
): Promise<Said> {
  sync.opened = new Map();
  if (sync.settings.sealedSecrets === 'passthrough') return { ok: false, errors: [notPassedThrough()] };
  if (!scanned.ok) return { ok: false, errors: scanned.refusals };
  const { plaintextSecrets } = agent.settings();
  const namespace = agent.place.targetNamespace;
  const { secretsIn, name } = sync.settings;
  const rules = JSON.stringify([plaintextSecrets, secretsIn]);
  const digest = sourceDigest('said', buildDigest(scanned.result, find, namespace), rules);
  if (sync.built?.digest === digest) return sync.built.said;
  const built = await buildWith(
    agent,
    sync,
    { scanned: scanned.result, find },
    { key: agent.fingerprint.current, opener, recall: (ofFile) => agent.inventory.tokens(name, ofFile) },
  );
  if (!built.ok) return built;
  const { documents, refusals, warnings, memories, unused } = built;
  agent.inventory.setTokens(name, memories);
  for (const { file, line, key } of unused) {
    agent.log.info('a secret is in no rendered object', { sync: name, file, line, key });
  }
  const said = { ok: true, documents, refusals, warnings } as const;
  sync.built = { digest, said };
  return said;
}

/** A kustomization of a sync, with tokens of one key. */
export async function buildWith(
  agent: AgentContext,
  { settings }: SyncRuntime,
  { scanned, find }: { readonly scanned: ScanResult; readonly find: Find },
  made: Pick<BuildContext, 'key' | 'opener' | 'recall'>,
): Promise<Built> {
  const { renderer, place } = agent;
  if (renderer === undefined) return { ok: false, errors: [noRenderer()] };
  const { secretsIn } = settings;
  return build(scanned, find, {
    ...made,
    namespace: place.targetNamespace,
    renderer,
    plaintextSecrets: agent.settings().plaintextSecrets,
    allowed: { mayHoldSecrets: (object) => mayHoldSecrets(object, secretsIn) },
  });
}

export function mayHoldSecrets(object: JsonObject, allowed: SyncSettings['secretsIn']): boolean {
  const group = groupOf(stringAt(object, 'apiVersion') ?? '');
  const kind = stringAt(object, 'kind');
  const name = stringAt(object, 'metadata', 'name') ?? '';
  return allowed.some(
    (rule) => rule.kind === kind && rule.group === group && (name === rule.name || isHashed(name, rule.name)),
  );
}

/** kustomize appends ten characters to names of generated objects. */
function isHashed(name: string, base: string): boolean {
  return name.startsWith(`${base}-`) && /^[a-z0-9]{10}$/.test(name.slice(base.length + 1));
}

export function notPassedThrough(): SottoError {
  return new SottoError({
    code: 'SOTTO-SEAL-023',
    what: 'the kustomization is not built',
    why: 'sealedSecrets: passthrough does not go with kustomize, which would rename what SealedSecrets are bound to',
    next: 'put the SealedSecrets into a path of their own without a kustomization, in a sync with passthrough',
  });
}
