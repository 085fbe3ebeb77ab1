import { markOf, type SecretMark } from './key-secret.ts';
import { STOCK_SEALING_ACTIVE, STOCK_SEALING_LABEL, USE_LABEL } from './marks.ts';

/** Names of Secrets in the agent's namespace, as the settings give them. */
export interface NamedSecrets {
  readonly secretNames: readonly string[];
}

/** What the settings say about key Secrets. */
export interface KeyRules {
  /** `decryption.keys` of all syncs. */
  readonly decryption: NamedSecrets;
  /** `sealing.keys`: may seal besides the keys sotto made. */
  readonly sealing: NamedSecrets & {
    /** Fingerprint of the one certificate that people may seal to. */
    readonly certificate?: string | undefined;
  };
  /** `decryption` of every sync, its own or the common one. */
  readonly syncs: readonly { readonly decryption: NamedSecrets }[];
}

/** Why a Secret is a key Secret. */
export interface KeyRoles {
  /** Named by the `decryption.keys` that count for all syncs. */
  readonly namedForAll: boolean;
  /** Named by a sync's own `decryption.keys`, or by the common ones. */
  readonly namedForSync: boolean;
  /** Named in `sealing.keys`. */
  readonly namedToSeal: boolean;
  /** Label `sotto.dev/use: keys`. */
  readonly labelled: boolean;
  /** The stock label of SealedSecrets. */
  readonly stockSealing: boolean;
}

export function keyRoles(secret: SecretMark, rules: KeyRules): KeyRoles {
  return {
    namedForAll: rules.decryption.secretNames.includes(secret.name),
    namedForSync: rules.syncs.some(({ decryption }) => decryption.secretNames.includes(secret.name)),
    namedToSeal: rules.sealing.secretNames.includes(secret.name),
    labelled: markOf(secret.labels, USE_LABEL) === 'keys',
    stockSealing: markOf(secret.labels, STOCK_SEALING_LABEL) === STOCK_SEALING_ACTIVE,
  };
}

/** True for a Secret the agent reads for its keys. It reads no other Secret but credentials. */
export function isKeySecret(secret: SecretMark, rules: KeyRules): boolean {
  return Object.values(keyRoles(secret, rules)).some((holds) => holds);
}

/** Names of the Secrets to read, out of the metadata of a namespace, sorted. */
export function selectKeySecrets(secrets: readonly SecretMark[], rules: KeyRules): readonly string[] {
  return secrets
    .filter((secret) => isKeySecret(secret, rules))
    .map((secret) => secret.name)
    .toSorted();
}

/** Every Secret that the settings name for keys, each once. */
export function namedKeySecrets(rules: KeyRules): readonly string[] {
  const names = [rules.decryption, rules.sealing, ...rules.syncs.map((sync) => sync.decryption)];
  return [...new Set(names.flatMap((named) => named.secretNames))].toSorted();
}
