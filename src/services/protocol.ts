import type { SottoError } from '../core/errors.ts';
import type { Answer } from '../kube/exchange.ts';
import type { ServiceKey } from '../sops/service-key.ts';
import type { CallService, ServiceCall } from './call.ts';
import type { Secret, ServiceCredential } from './credential.ts';
import type { Reason } from './failure.ts';
import type { Session } from './sessions.ts';

export type ServiceRequest =
  | { readonly verb: 'decrypt'; readonly enc: string }
  | { readonly verb: 'encrypt'; readonly dataKey: Uint8Array };

export interface Circumstances {
  readonly call: CallService;
  readonly now: Date;
  /** What the credential was exchanged for under this name, or is now. */
  session(name: string, begin: () => Promise<Session | SottoError>): Promise<Session | SottoError>;
}

/** How the service of one key is asked. It is asked only when it is allowed; that was decided before. */
export interface Protocol {
  /** Why the key cannot be named to the service; undefined when it can. */
  readonly problem: string | undefined;
  /** What is down when it cannot be reached. */
  readonly origin: string;
  /** The kind of credential it lets in. */
  readonly credential: Secret['kind'];
  /** False for an entry that no such service can have written. */
  isWrapped(enc: string): boolean;
  prepare(
    request: ServiceRequest,
    credential: ServiceCredential,
    circumstances: Circumstances,
  ): Promise<ServiceCall | SottoError>;
  /** Where a key may be named without its version: how the newest one is found. */
  readonly newest?: {
    prepare(credential: ServiceCredential, circumstances: Circumstances): Promise<ServiceCall | SottoError>;
    keyIn(answer: Uint8Array): ServiceKey | undefined;
  };
  /** What an answer says that is no success, where the service says more than its status does. */
  readonly reasonIn: (answer: Answer) => Reason | undefined;
  /** Of the answer to decrypt; the caller wipes it. */
  dataKeyIn(answer: Uint8Array): Uint8Array<ArrayBuffer> | undefined;
  /** Of the answer to encrypt. */
  encIn(answer: Uint8Array): string | undefined;
}
