import type { ConnectionOptions as TlsOptions } from 'node:tls';

export type AuthHeaders = Readonly<Record<string, string>>;

/** Where the API server is and who we are there. */
export interface Connection {
  readonly server: URL;
  /** The namespace of the context or of the service account. */
  readonly namespace: string;
  readonly tls: Pick<TlsOptions, 'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'>;
  /**
   * Headers that say who asks; kept and renewed as needed. `force` (after a 401) reads the source again. Throws
   * SottoError when the credentials cannot be had.
   */
  authorize(force: boolean): Promise<AuthHeaders>;
  /** For people: `system:serviceaccount:team-a:sotto`, `context dev, user alice`. */
  readonly user: string;
  /** What a person should know before trusting this connection. */
  readonly warnings: readonly string[];
}
