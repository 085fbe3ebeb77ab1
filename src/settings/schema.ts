import { check, custom, literal, nullish, pipe, string, transform, unknown } from 'valibot';
import type { InferOutput } from 'valibot';
import { isJsonObject } from '../core/json.ts';
import {
  ageOrNever,
  ageRecipient,
  awsKeyArn,
  awsRoleArn,
  azureVaultUrl,
  certificateFingerprint,
  dnsLabel,
  flag,
  gcpResourceId,
  jsonPointer,
  kindName,
  listenAddress,
  listOf,
  nameOrNone,
  nonEmptyText,
  objectName,
  oneOf,
  receiptKey,
  percent,
  refName,
  repositoryPath,
  secretRef,
  section,
  serviceAddress,
  sectionOrDefaults,
  textMap,
  timerMs,
  wholeNumber,
} from './forms.ts';
import type { LiftableVeto } from './settings.ts';
import { VARIABLE_NAME } from './variable-name.ts';

/**
 * Every field of sotto.yaml with its form and default. Fields of features that are not built are here too, so that
 * they are refused by name (`not-built.ts`) and never taken for a typing mistake.
 */

const gitUrl = pipe(
  string('an https URL'),
  check(isGitUrl, 'an https URL without query or fragment, such as https://git.example.com/team/app.git'),
);

function isGitUrl(value: string): boolean {
  if (!/^[\u0021-\u007e]+$/.test(value)) return false;
  if (/^[\w.-]+@[\w.-]+:[^/]/.test(value)) return true;
  const url = URL.parse(value);
  if (url === null || !['https:', 'http:', 'ssh:'].includes(url.protocol)) return false;
  return url.hostname !== '' && url.pathname.length > 1 && !value.includes('?') && !value.includes('#');
}

const decryption = sectionOrDefaults({
  keys: nullish(listOf(section({ secretRef }), 'entries such as secretRef: { name: sops-age }')),
  vault: nullish(listOf(section({ address: serviceAddress }), 'entries such as address: https://vault.example.com')),
  awsKms: nullish(
    listOf(
      section({
        arn: awsKeyArn,
        role: nullish(awsRoleArn, ''),
        endpoint: nullish(serviceAddress),
        stsEndpoint: nullish(serviceAddress),
      }),
      'entries such as arn: arn:aws:kms:REGION:ACCOUNT:key/ID',
    ),
  ),
  gcpKms: nullish(
    listOf(
      section({ resourceId: gcpResourceId, endpoint: nullish(serviceAddress) }),
      'entries such as resourceId: projects/P/locations/L/keyRings/R/cryptoKeys/K',
    ),
  ),
  azureKeyVault: nullish(
    listOf(
      section({ vaultUrl: azureVaultUrl, loginEndpoint: nullish(serviceAddress) }),
      'entries such as vaultUrl: https://team.vault.azure.net',
    ),
  ),
});

const git = section({
  url: gitUrl,
  ref: section({
    branch: nullish(refName),
    tag: nullish(refName),
    semver: nullish(nonEmptyText),
    commit: nullish(nonEmptyText),
    name: nullish(nonEmptyText),
  }),
  secretRef: nullish(secretRef),
  interval: nullish(timerMs, '1m'),
  verify: nullish(section({ mode: nullish(oneOf('HEAD', 'Tag', 'TagAndHEAD'), 'HEAD'), secretRef })),
  requireFastForward: flag(false),
  allowInsecure: flag(false),
});

const oci = section({
  url: nonEmptyText,
  ref: nullish(
    section({ tag: nullish(string('a tag')), semver: nullish(string('a range')), digest: nullish(string('a digest')) }),
  ),
  secretRef: nullish(secretRef),
  interval: nullish(timerMs, '1m'),
  verify: nullish(
    section({ mode: nullish(nonEmptyText), provider: nullish(nonEmptyText), secretRef: nullish(secretRef) }),
  ),
});

const source = section({
  git: nullish(git),
  oci: nullish(oci),
  folder: nullish(section({ path: nonEmptyText })),
  ignore: listOf(nonEmptyText, 'patterns as in .gitignore'),
});

const helm = section({
  releaseName: nullish(nonEmptyText),
  values: nullish(custom<Record<string, unknown>>((value) => isJsonObject(value), 'a mapping')),
  valuesFiles: listOf(repositoryPath, 'paths inside the repository'),
});

// `Secret` is a kind here so that it is refused with its reason (`rules.ts`).
const postBuild = section({
  substitute: textMap(VARIABLE_NAME, 'names of letters, digits and _, each with a text'),
  substituteFrom: listOf(
    section({ kind: oneOf('ConfigMap', 'Secret'), name: objectName, optional: flag(false) }),
    'entries such as kind: ConfigMap, name: cluster-vars',
  ),
  substituteStrategy: nullish(oneOf('WithVariables', 'Always'), 'WithVariables'),
});

// `prune: false` and `prune: true` stand for the section with only `enabled`.
const prune = pipe(
  nullish(unknown(), {}),
  transform((value) => (typeof value === 'boolean' ? { enabled: value } : value)),
  section({
    enabled: flag(true),
    maxShare: nullish(percent, '50%'),
    minimum: nullish(wholeNumber, 5),
    ask: listOf(kindName, 'kinds'),
  }),
);

const matchEntries = {
  group: nullish(string('an API group')),
  namespace: nullish(dnsLabel),
  name: nullish(objectName),
};
const kind = nonEmptyText;

const kustomize = section({
  secretsIn: listOf(
    section({ group: nullish(string('an API group'), ''), kind, name: objectName }),
    'objects other than Secrets that may hold values of secrets, such as { kind: ConfigMap, name: app }',
  ),
});

const sync = section({
  name: dnsLabel,
  source,
  path: repositoryPath,
  render: sectionOrDefaults({ kustomize: nullish(kustomize), helm: nullish(helm) }),
  postBuild: nullish(postBuild),
  decryption,
  sealedSecrets: nullish(oneOf('auto', 'unseal', 'passthrough'), 'auto'),
  serviceAccountName: nullish(nameOrNone, ''),
  adopt: nullish(oneOf('equal', 'ask', 'always'), 'equal'),
  interval: nullish(timerMs, '10m'),
  timeout: nullish(timerMs, '5m'),
  wait: flag(true),
  retryInterval: nullish(timerMs, '30s'),
  suspend: flag(false),
  prune,
  dependsOn: listOf(dnsLabel, 'names of syncs'),
  deletionPolicy: nullish(oneOf('orphan', 'delete'), 'orphan'),
  skip: listOf(section({ ...matchEntries, kind }), 'entries such as kind: Namespace'),
  health: sectionOrDefaults({
    strict: flag(false),
    expressions: listOf(
      section({
        group: nullish(string('an API group'), ''),
        kind,
        current: nonEmptyText,
        failed: nullish(nonEmptyText),
        inProgress: nullish(nonEmptyText),
      }),
      'entries with group, kind and current',
    ),
  }),
  drift: sectionOrDefaults({
    policy: nullish(oneOf('fields', 'guard', 'exact'), 'guard'),
    ignore: listOf(
      section({
        target: nullish(section({ ...matchEntries, kind: nullish(kind) })),
        paths: listOf(jsonPointer, 'JSON pointers such as /spec/replicas'),
        managers: listOf(nonEmptyText, 'names of field managers'),
      }),
      'entries with target, paths or managers',
    ),
  }),
});

const LIFTABLE = ['key-mount', 'agent-account', 'agent-rbac', 'key-label'] as const satisfies readonly LiftableVeto[];

export const settingsSchema = section({
  apiVersion: literal('sotto.dev/v1alpha1', 'sotto.dev/v1alpha1'),
  kind: literal('Config', 'Config'),
  targetNamespace: nullish(dnsLabel),
  fingerprintSecret: nullish(objectName, 'sotto-fingerprint'),
  decryption,
  sealing: sectionOrDefaults({
    enabled: flag(false),
    keys: listOf(objectName, 'names of Secrets'),
    certificate: nullish(certificateFingerprint, ''),
    recovery: listOf(ageRecipient, 'age recipients'),
    renewEvery: nullish(ageOrNever, ''),
  }),
  rotation: sectionOrDefaults({
    receiptKey: nullish(receiptKey, ''),
    recipients: listOf(nonEmptyText, 'recipients as `sotto recipients list` names them'),
  }),
  plaintextSecrets: nullish(oneOf('refuse', 'warn', 'allow'), 'refuse'),
  vetoes: sectionOrDefaults({ allow: listOf(oneOf(...LIFTABLE), 'vetoes that are lifted') }),
  page: sectionOrDefaults({ listen: nullish(listenAddress, '127.0.0.1:8081') }),
  hooks: sectionOrDefaults({ listen: nullish(listenAddress, '') }),
  syncs: listOf(sync, 'syncs'),
});

/** The whole document with defaults filled in, features that are not built included. */
export type SettingsDocument = InferOutput<typeof settingsSchema>;
