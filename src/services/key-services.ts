import { SottoError } from '../core/errors.ts';
import type { EntryOutcome, ServiceIdentity } from '../sops/identity.ts';
import { notAllowed } from '../sops/service-errors.ts';
import { type ServiceEntry, type ServiceKey, serviceKeyName, serviceKeyTitle } from '../sops/service-key.ts';
import type { CallService } from './call.ts';
import type { ServiceCredential } from './credential.ts';
import { asFailure, badName, failureOf, notUnderstood } from './failure.ts';
import type { Patience } from './patience.ts';
import type { Protocol, ServiceRequest } from './protocol.ts';
import { vaultProtocol } from './vault.ts';
import { allows, type ServiceRules } from './rules.ts';

/** What may be called, with what, and what a person is told who wants more. */
export interface ServiceAccess {
  readonly rules: ServiceRules;
  /** Read when the first service is asked. */
  readonly credentials: () => Promise<readonly ServiceCredential[]>;
  /** The exact edit that allows a service. */
  readonly toAllow: (key: ServiceKey) => string;
  /** How a credential for a kind of service is given. */
  readonly toGive: string;
  readonly call: CallService;
  readonly patience: Patience;
  readonly now: () => Date;
}

/** Unwraps and wraps data keys with the key services that are allowed. No other one gets a connection. */
export class KeyServices implements ServiceIdentity {
  readonly kind = 'service';
  readonly #access: ServiceAccess;

  constructor(access: ServiceAccess) {
    this.#access = access;
  }

  get recipient(): string {
    const { vault, awsKms, gcpKms, azureKeyVault } = this.#access.rules;
    return [...vault, ...awsKms.map(({ arn }) => arn), ...gcpKms, ...azureKeyVault].join(', ');
  }

  /** The data key, or the share, of an entry. The caller wipes it. */
  async open(entry: ServiceEntry): Promise<EntryOutcome> {
    const denied = this.#denied(entry);
    if (denied !== undefined) return { outcome: 'refused', error: denied };
    const answer = await this.#ask(entry, { verb: 'decrypt', enc: entry.enc });
    if (answer instanceof SottoError) return asFailure(answer);
    try {
      const payload = protocolOf(entry).dataKeyIn(answer);
      return payload === undefined ? asFailure(notUnderstood(entry)) : { outcome: 'opened', payload };
    } finally {
      answer.fill(0);
    }
  }

  /** A data key as the service wraps it, for a file that is made. Throws SottoError. */
  async wrap(key: ServiceKey, dataKey: Uint8Array): Promise<string> {
    const denied = this.#denied(key);
    if (denied !== undefined) throw denied;
    const answer = await this.#ask(key, { verb: 'encrypt', dataKey });
    if (answer instanceof SottoError) throw answer;
    const enc = protocolOf(key).encIn(answer);
    if (enc === undefined) throw notUnderstood(key);
    return enc;
  }

  #denied(key: ServiceKey): SottoError | undefined {
    const { rules, toAllow } = this.#access;
    if (!allows(rules, key)) return notAllowed(key, toAllow(key));
    const problem = protocolOf(key).problem;
    return problem === undefined ? undefined : badName(key, problem);
  }

  /** With each credential that suits, until one is let in. */
  async #ask(key: ServiceKey, request: ServiceRequest): Promise<Buffer | SottoError> {
    const { credentials, patience, toGive } = this.#access;
    // Of one service everything waits when it cannot be reached; a refusal is a matter of this key.
    const places = [protocolOf(key).origin, serviceKeyName(key)];
    for (const place of places) {
      const trouble = patience.trouble(place);
      if (trouble !== undefined) return trouble;
    }
    const suitable = (await credentials()).filter((credential) => protocolOf(key).suits(credential));
    let error = noCredential(key, toGive);
    for (const credential of suitable) {
      const answer = await this.#askWith(key, request, credential);
      if (!(answer instanceof SottoError)) {
        for (const place of places) patience.worked(place);
        return answer;
      }
      error = answer;
      if (error.code === 'SOTTO-SOPS-071') break;
    }
    if (suitable.length > 0) patience.failed(places[error.code === 'SOTTO-SOPS-071' ? 0 : 1] ?? '', error);
    return error;
  }

  async #askWith(
    key: ServiceKey,
    request: ServiceRequest,
    credential: ServiceCredential,
  ): Promise<Buffer | SottoError> {
    const { call, now } = this.#access;
    const prepared = await protocolOf(key).prepare(request, credential, { call, now: now() });
    if (prepared instanceof SottoError) return prepared;
    const reply = await call(prepared);
    const failure = failureOf(reply, key);
    if (failure !== undefined) return failure;
    return reply.kind === 'answer' ? reply.bytes : notUnderstood(key);
  }
}

function protocolOf(key: ServiceKey): Protocol {
  switch (key.kind) {
    case 'vault':
      return vaultProtocol(key);
    case 'kms':
    case 'gcp_kms':
    case 'azure_kv':
      throw new TypeError('asked for a kind of service that no settings can allow');
    default:
      return key satisfies never;
  }
}

function noCredential(key: ServiceKey, next: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-050',
    what: 'there is no credential for an allowed key service',
    why: `${serviceKeyTitle(key)} may be called, but nothing is held to show it`,
    next,
  });
}
