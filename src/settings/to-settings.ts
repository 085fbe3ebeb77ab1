import { isReceiptKeyName } from '../core/receipt-key.ts';
import { parseExpression } from '../expression/parse.ts';
import type { Expression } from '../expression/tree.ts';
import type { HealthRules } from '../expression/health-rules.ts';
import { type AwsKmsRule, type AzureKeyVaultRule, type GcpKmsRule, NO_SERVICES } from '../services/rules.ts';
import { readListenAddress } from './listen-address.ts';
import type { SettingsDocument } from './schema.ts';
import type {
  DecryptionSettings,
  DriftIgnore,
  GitSettings,
  ObjectMatch,
  PostBuildSettings,
  Settings,
  SyncSettings,
} from './settings.ts';

type SyncDocument = SettingsDocument['syncs'][number];

/**
 * From the document, whose every form and rule was checked, to what this version acts on. What is refused as not
 * built cannot occur here; that it does is a defect.
 */
export function toSettings(document: SettingsDocument): Settings {
  const decryption = decryptionOf(document.decryption, { secretNames: [], services: NO_SERVICES });
  return {
    targetNamespace: document.targetNamespace ?? undefined,
    fingerprintSecret: document.fingerprintSecret,
    decryption,
    sealing: {
      enabled: document.sealing.enabled,
      secretNames: document.sealing.keys,
      certificate: document.sealing.certificate === '' ? undefined : document.sealing.certificate,
      recovery: document.sealing.recovery,
    },
    rotation: {
      receiptKey: isReceiptKeyName(document.rotation.receiptKey) ? document.rotation.receiptKey : undefined,
      recipients: document.rotation.recipients,
    },
    plaintextSecrets: document.plaintextSecrets,
    liftedVetoes: document.vetoes.allow,
    pageListen: readListenAddress(document.page.listen),
    syncs: document.syncs.map((sync) => toSync(sync, decryption)),
  };
}

function toSync(sync: SyncDocument, common: DecryptionSettings): SyncSettings {
  return {
    name: sync.name,
    source: { git: gitOf(sync), ignore: sync.source.ignore },
    path: sync.path,
    postBuild: postBuildOf(sync),
    decryption: decryptionOf(sync.decryption, common),
    sealedSecrets: sync.sealedSecrets,
    serviceAccountName: sync.serviceAccountName === '' ? undefined : sync.serviceAccountName,
    adopt: sync.adopt,
    intervalMs: sync.interval,
    timeoutMs: sync.timeout,
    wait: sync.wait,
    retryIntervalMs: sync.retryInterval,
    suspend: sync.suspend,
    prune: {
      enabled: sync.prune.enabled,
      maxSharePercent: sync.prune.maxShare,
      minimum: sync.prune.minimum,
      ask: sync.prune.ask,
    },
    dependsOn: sync.dependsOn,
    deletionPolicy: sync.deletionPolicy,
    skip: sync.skip.map(toMatch),
    drift: { policy: sync.drift.policy, ignore: sync.drift.ignore.map(toIgnore) },
    health: healthOf(sync),
    secretsIn: sync.render.kustomize?.secretsIn ?? [],
  };
}

function healthOf({ health }: SyncDocument): HealthRules {
  return {
    strict: health.strict,
    expressions: health.expressions.map(({ group, kind, inProgress, failed, current }) => ({
      group,
      kind,
      inProgress: typeof inProgress === 'string' ? expressionOf(inProgress) : undefined,
      failed: typeof failed === 'string' ? expressionOf(failed) : undefined,
      current: expressionOf(current),
    })),
  };
}

function expressionOf(text: string): Expression {
  const parsed = parseExpression(text);
  return parsed.ok ? parsed.expression : defect('an expression that cannot be read');
}

function postBuildOf({ postBuild }: SyncDocument): PostBuildSettings | undefined {
  if (postBuild === null || postBuild === undefined) return undefined;
  return {
    substitute: postBuild.substitute,
    substituteFrom: postBuild.substituteFrom.map(({ name, optional }) => ({ name, optional })),
    always: postBuild.substituteStrategy === 'Always',
  };
}

/** A sync's own keys replace the common ones as soon as they are given, an empty list too; so does each list of services. */
function decryptionOf(section: SettingsDocument['decryption'], common: DecryptionSettings): DecryptionSettings {
  const { keys, vault, awsKms, gcpKms, azureKeyVault } = section;
  return {
    secretNames: keys?.map((key) => key.secretRef.name) ?? common.secretNames,
    services: {
      vault: vault?.map(({ address }) => address) ?? common.services.vault,
      awsKms: awsKms?.map(toAwsRule) ?? common.services.awsKms,
      gcpKms: gcpKms?.map(toGcpRule) ?? common.services.gcpKms,
      azureKeyVault: azureKeyVault?.map(toAzureRule) ?? common.services.azureKeyVault,
    },
  };
}

function toAwsRule(entry: NonNullable<SettingsDocument['decryption']['awsKms']>[number]): AwsKmsRule {
  const { arn, role, endpoint, stsEndpoint } = entry;
  return { arn, role, endpoint: endpoint ?? undefined, stsEndpoint: stsEndpoint ?? undefined };
}

function toGcpRule(entry: NonNullable<SettingsDocument['decryption']['gcpKms']>[number]): GcpKmsRule {
  return { resourceId: entry.resourceId, endpoint: entry.endpoint ?? undefined };
}

function toAzureRule(entry: NonNullable<SettingsDocument['decryption']['azureKeyVault']>[number]): AzureKeyVaultRule {
  return { vaultUrl: entry.vaultUrl, loginEndpoint: entry.loginEndpoint ?? undefined };
}

function gitOf(sync: SyncDocument): GitSettings {
  const git = sync.source.git ?? defect('a source that is not git');
  return {
    url: git.url,
    branch: git.ref.branch ?? defect('a ref that is not a branch'),
    secretName: git.secretRef?.name,
    intervalMs: git.interval,
    requireFastForward: git.requireFastForward,
  };
}

function toIgnore({ target, paths, managers }: SyncDocument['drift']['ignore'][number]): DriftIgnore {
  if (target === null || target === undefined) return { target: undefined, paths, managers };
  const { group, kind, namespace, name } = target;
  const [ofGroup, ofKind, inNamespace, named] = [group, kind, namespace, name].map((field) => field ?? undefined);
  return { target: { group: ofGroup, kind: ofKind, namespace: inNamespace, name: named }, paths, managers };
}

function toMatch(match: SyncDocument['skip'][number]): ObjectMatch {
  return {
    group: match.group ?? undefined,
    kind: match.kind,
    namespace: match.namespace ?? undefined,
    name: match.name ?? undefined,
  };
}

function defect(what: string): never {
  throw new Error(`settings passed the checks of this version with ${what}`);
}
