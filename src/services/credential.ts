import type { Sensitive } from '../core/sensitive.ts';

/** What a service is asked with. */
export type ServiceCredential = VaultCredential;

export interface VaultCredential {
  readonly kind: 'vault';
  readonly token: Sensitive;
  /** PEM of the authority that signed the certificate of the server; undefined: a public one. */
  readonly ca: Uint8Array | undefined;
  /** The only address the token may be sent to, where its owner has written one down. */
  readonly address: string | undefined;
}
