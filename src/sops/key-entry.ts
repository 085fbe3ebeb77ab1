/** The data key, or a share of it, as one master key wrapped it. What an entry says of itself nothing vouches for. */
export type KeyEntry =
  | ({ readonly kind: 'age' } & AgeEntry)
  | { readonly kind: 'pgp'; readonly fingerprint: string; readonly enc: string; readonly line: number }
  | VaultEntry
  | { readonly kind: 'other'; readonly name: string; readonly key: string; readonly line: number };

export interface VaultEntry {
  readonly kind: 'vault';
  /** `https://vault.example.com:8200`: of the file, so nobody is called for its sake alone. */
  readonly address: string;
  readonly enginePath: string;
  readonly keyName: string;
  /** `vault:v1:…` */
  readonly enc: string;
  readonly line: number;
}

/** Any entry of a group gives the share of the group. */
export type KeyGroup = readonly KeyEntry[];

/** For whom an entry is wrapped, in the words of the file. */
export function holderOf(entry: KeyEntry): string {
  switch (entry.kind) {
    case 'age':
      return entry.recipient;
    case 'pgp':
      return `OpenPGP key ${entry.fingerprint}`;
    case 'vault':
      return `Vault key ${entry.address}/v1/${entry.enginePath}/keys/${entry.keyName}`;
    case 'other':
      return `${entry.name} ${entry.key}`;
  }
}

export interface AgeEntry {
  /** As the file says; nothing vouches for it. */
  readonly recipient: string;
  /** The data key in an age file of its own, armoured. */
  readonly enc: string;
  readonly line: number;
}
