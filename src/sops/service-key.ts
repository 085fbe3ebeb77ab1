/** A key that lies with a key service: the service wraps and unwraps, and gives the key to nobody. */
export type ServiceKey = VaultKey | AwsKey | GcpKey | AzureKey;

/** Of the transit engine of HashiCorp Vault or OpenBao. */
export interface VaultKey {
  readonly kind: 'vault';
  /** `https://vault.example.com:8200` */
  readonly address: string;
  /** `transit`, `team/transit` */
  readonly enginePath: string;
  readonly keyName: string;
}

export interface AwsKey {
  readonly kind: 'kms';
  readonly arn: string;
  /** The ARN of a role that sops would take on first; empty: none. */
  readonly role: string;
  /** The encryption context: it must be the same for encrypting and decrypting. */
  readonly context: Readonly<Record<string, string>>;
  /** Of a person's configuration, so it says nothing to others. */
  readonly profile: string;
}

export interface GcpKey {
  readonly kind: 'gcp_kms';
  /** `projects/P/locations/L/keyRings/R/cryptoKeys/K` */
  readonly resourceId: string;
}

export interface AzureKey {
  readonly kind: 'azure_kv';
  /** `https://team.vault.azure.net` */
  readonly vaultUrl: string;
  readonly name: string;
  readonly version: string;
}

/** An entry of a sops block that names a service. The file says so, and nothing vouches for it. */
export type ServiceEntry = ServiceKey & {
  /** The wrapped data key, in the words of the service. */
  readonly enc: string;
  readonly line: number;
};

/** Name of the list in the sops block in which keys of a kind stand. */
export const SERVICE_LISTS = {
  vault: 'hc_vault',
  kms: 'kms',
  gcp_kms: 'gcp_kms',
  azure_kv: 'azure_kv',
} as const satisfies Record<ServiceKey['kind'], string>;

/** The name by which sops compares keys. */
export function serviceKeyName(key: ServiceKey): string {
  switch (key.kind) {
    case 'vault':
      return `${key.address}/v1/${key.enginePath}/keys/${key.keyName}`;
    case 'kms':
      return awsKeyName(key);
    case 'gcp_kms':
      return key.resourceId;
    case 'azure_kv':
      return `${key.vaultUrl}/keys/${key.name}/${key.version}`;
    default:
      return key satisfies never;
  }
}

function awsKeyName({ arn, role, context, profile }: AwsKey): string {
  const pairs = Object.keys(context)
    .toSorted()
    .map((name) => `${name}:${context[name] ?? ''}`)
    .join(',');
  const named = role === '' ? arn : `${arn}+${role}`;
  if (pairs === '') return profile === '' ? named : `${named}||${profile}`;
  return profile === '' ? `${named}|${pairs}` : `${named}|${pairs}|${profile}`;
}

/** As a person calls it. */
export function serviceKeyTitle(key: ServiceKey): string {
  return `${TITLES[key.kind]} ${serviceKeyName(key)}`;
}

const TITLES = {
  vault: 'Vault key',
  kms: 'AWS KMS key',
  gcp_kms: 'Google Cloud KMS key',
  azure_kv: 'Azure Key Vault key',
} as const;
