import { SottoError } from '../core/errors.ts';
import type { Answer, Reply } from '../kube/exchange.ts';
import type { ServiceFailure } from '../sops/identity.ts';
import { type ServiceKey, serviceKeyTitle } from '../sops/service-key.ts';

/** Why an answer is no success, in our own words: nothing the service wrote is passed on. */
export interface Reason {
  /** It is worth another try later. */
  readonly passes: boolean;
  readonly why: string;
}

/** Undefined for a success. `told` reads what the service says besides its status. */
export function reasonOf(reply: Reply, told: (answer: Answer) => Reason | undefined): Reason | undefined {
  if (reply.kind === 'none') {
    return { passes: true, why: reply.cause === 'timeout' ? reply.detail : `it: ${reply.detail}` };
  }
  const { status } = reply;
  if (status >= 200 && status < 300) return undefined;
  if (status >= 300 && status < 400) {
    return { passes: false, why: `it sends elsewhere (${status}), and redirects are not followed` };
  }
  const said = told(reply);
  if (said !== undefined) return said;
  if (status === 429 || status >= 500) return { passes: true, why: `it answered ${status}` };
  if (status === 401 || status === 403) {
    return { passes: false, why: `it does not let this credential use the key (${status})` };
  }
  return { passes: false, why: `it does not know the key, or did not wrap this data key (${status})` };
}

export function failureOf(key: ServiceKey, { passes, why }: Reason): SottoError {
  return passes ? unreachable(key, why) : refused(key, why);
}

function unreachable(key: ServiceKey, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-071',
    what: 'a key service cannot be asked now',
    why: `${serviceKeyTitle(key)}: ${why}`,
    next: 'see that the service runs and is reached from here; it is asked again by itself',
  });
}

/** `from` is the service that exchanges credentials. */
export function noSession(key: ServiceKey, from: string, { why }: Reason, next: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-075',
    what: 'the credential for a key service was not exchanged for one that passes',
    why: `for ${serviceKeyTitle(key)}: ${from}: ${why}; the key service was not asked`,
    next,
  });
}

export function refused(key: ServiceKey, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-072',
    what: 'a key service refused to unwrap the data key',
    why: `${serviceKeyTitle(key)}: ${why}`,
    next: 'give the credential the right to use the key, or have the file encrypted for a key it may use',
  });
}

export function notUnderstood(key: ServiceKey): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-073',
    what: 'the answer of a key service is not understood',
    why: `${serviceKeyTitle(key)}: it is not the answer of such a service`,
    next: 'see that the address is that of the service and not of something before it',
  });
}

export function badName(key: ServiceKey, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-074',
    what: 'the name of a key at a key service is not usable',
    why: `${serviceKeyTitle(key)}: ${why}; no connection was made`,
    next: 'correct the name where the file is encrypted, and encrypt it anew',
  });
}

export function badCredential(key: ServiceKey, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-051',
    what: 'the credential for a key service cannot be used',
    why: `for ${serviceKeyTitle(key)}: ${why}`,
    next: 'write it into its Secret or variable again, as the service gave it',
  });
}

/** What passes by itself is worth another try. */
export function asFailure(error: SottoError): ServiceFailure {
  return { outcome: 'failed', error };
}
