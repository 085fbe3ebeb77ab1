import type { KeyObject } from 'node:crypto';
import type { Sensitive } from '../core/sensitive.ts';

/** What a service is asked with. */
export type ServiceCredential = Secret & {
  /** PEM of the authority that signed the certificate of the server; undefined: a public one. */
  readonly ca: Uint8Array | undefined;
  /** The only address it may be shown to, where its owner has written one down. */
  readonly address: string | undefined;
};

/** The secret part, by the kind of service that lets it in. */
export type Secret = VaultToken | AwsKeys | GcpAccount | GcpToken | AzureClient | AzureToken;

export interface VaultToken {
  readonly kind: 'vault';
  readonly token: Sensitive;
}

/** Signs requests to AWS; nothing of it but its id is ever sent, and the session token where it has one. */
export interface AwsKeys {
  readonly kind: 'kms';
  readonly accessKeyId: string;
  readonly secretAccessKey: Sensitive;
  /** Of keys that pass. */
  readonly sessionToken: Sensitive | undefined;
}

/** A service account of Google Cloud, which signs statements about itself. */
export interface GcpAccount {
  readonly kind: 'gcp_kms';
  readonly by: 'account';
  readonly email: string;
  readonly keyId: string;
  readonly privateKey: KeyObject;
}

/** What is shown to Google Cloud, signed by an account or given for one. */
export interface GcpToken {
  readonly kind: 'gcp_kms';
  readonly by: 'token';
  readonly token: Sensitive;
}

/** An application of Azure with a secret. */
export interface AzureClient {
  readonly kind: 'azure_kv';
  readonly by: 'client';
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: Sensitive;
  /** Where the file says that tokens come from; it must be where they do. */
  readonly authorityHost: string | undefined;
}

export interface AzureToken {
  readonly kind: 'azure_kv';
  readonly by: 'token';
  readonly token: Sensitive;
}
