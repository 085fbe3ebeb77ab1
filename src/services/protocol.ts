import type { SottoError } from '../core/errors.ts';
import type { CallService, ServiceCall } from './call.ts';
import type { ServiceCredential } from './credential.ts';

export type ServiceRequest =
  | { readonly verb: 'decrypt'; readonly enc: string }
  | { readonly verb: 'encrypt'; readonly dataKey: Uint8Array };

export interface Circumstances {
  readonly call: CallService;
  readonly now: Date;
}

/** How the service of one key is asked. It is asked only when it is allowed; that was decided before. */
export interface Protocol {
  /** Why the key cannot be named to the service; undefined when it can. */
  readonly problem: string | undefined;
  /** What is down when it cannot be reached. */
  readonly origin: string;
  suits(credential: ServiceCredential): boolean;
  prepare(
    request: ServiceRequest,
    credential: ServiceCredential,
    circumstances: Circumstances,
  ): Promise<ServiceCall | SottoError>;
  /** Of the answer to decrypt; the caller wipes it. */
  dataKeyIn(answer: Uint8Array): Uint8Array<ArrayBuffer> | undefined;
  /** Of the answer to encrypt. */
  encIn(answer: Uint8Array): string | undefined;
}
