import { SottoError } from '../core/errors.ts';
import type { EntryOutcome, ServiceIdentity } from '../sops/identity.ts';
import { notAllowed } from '../sops/service-errors.ts';
import { type ServiceEntry, type ServiceKey, serviceKeyName, serviceKeyTitle } from '../sops/service-key.ts';
import type { CallService, ServiceCall } from './call.ts';
import type { Secret, ServiceCredential } from './credential.ts';
import { asFailure, badName, failureOf, notUnderstood, reasonOf } from './failure.ts';
import type { Circumstances, Protocol } from './protocol.ts';
import { originOf, type Permission, permissionFor, type ServiceRules } from './rules.ts';
import type { ServiceMemory } from './sessions.ts';
import { vaultProtocol } from './vault.ts';

/** What may be called, with what, and what a person is told who wants more. */
export interface ServiceAccess {
  readonly rules: ServiceRules;
  /** Read when the first service of a kind is asked. */
  readonly credentials: (kind: Secret['kind']) => Promise<readonly ServiceCredential[]>;
  /** The exact edit that allows a service. */
  readonly toAllow: (key: ServiceKey) => string;
  /** How a credential for a kind of service is given. */
  readonly toGive: Readonly<Record<ServiceKey['kind'], string>>;
  readonly call: CallService;
  readonly memory: ServiceMemory;
  readonly now: () => Date;
}

type Prepare = (credential: ServiceCredential, circumstances: Circumstances) => Promise<ServiceCall | SottoError>;

/** Unwraps and wraps data keys with the key services that are allowed. No other one gets a connection. */
export class KeyServices implements ServiceIdentity {
  readonly kind = 'service';
  readonly #access: ServiceAccess;

  constructor(access: ServiceAccess) {
    this.#access = access;
  }

  get recipient(): string {
    const { vault, awsKms, gcpKms, azureKeyVault } = this.#access.rules;
    return [
      ...vault,
      ...awsKms.map(({ arn }) => arn),
      ...gcpKms.map(({ resourceId }) => resourceId),
      ...azureKeyVault.map(({ vaultUrl }) => vaultUrl),
    ].join(', ');
  }

  /** The data key, or the share, of an entry. The caller wipes it. */
  async open(entry: ServiceEntry): Promise<EntryOutcome> {
    const protocol = await this.#protocolOf(entry);
    if (protocol instanceof SottoError) return { outcome: 'refused', error: protocol };
    if (!protocol.isWrapped(entry.enc)) return { outcome: 'damaged' };
    const request = { verb: 'decrypt', enc: entry.enc } as const;
    const answer = await this.#ask(entry, protocol, (...asked) => protocol.prepare(request, ...asked));
    if (answer instanceof SottoError) return asFailure(answer);
    try {
      const payload = protocol.dataKeyIn(answer);
      return payload === undefined ? asFailure(notUnderstood(entry)) : { outcome: 'opened', payload };
    } finally {
      answer.fill(0);
    }
  }

  /** A data key as the service wraps it, for a file that is made. Throws SottoError. */
  async wrap(key: ServiceKey, dataKey: Uint8Array): Promise<string> {
    const protocol = await this.#protocolOf(key);
    if (protocol instanceof SottoError) throw protocol;
    const request = { verb: 'encrypt', dataKey } as const;
    const answer = await this.#ask(key, protocol, (...asked) => protocol.prepare(request, ...asked));
    if (answer instanceof SottoError) throw answer;
    const enc = protocol.encIn(answer);
    if (enc === undefined || !protocol.isWrapped(enc)) throw notUnderstood(key);
    return enc;
  }

  /** The key with its version, where it is named without one: what files name. Throws SottoError. */
  async newest(key: ServiceKey): Promise<ServiceKey> {
    if (key.kind !== 'azure_kv' || key.version !== '') return key;
    const protocol = await this.#protocolOf(key);
    if (protocol instanceof SottoError) throw protocol;
    const { newest } = protocol;
    if (newest === undefined) return key;
    const answer = await this.#ask(key, protocol, (...asked) => newest.prepare(...asked));
    if (answer instanceof SottoError) throw answer;
    const found = newest.keyIn(answer);
    if (found === undefined) throw notUnderstood(key);
    return found;
  }

  /** Only for a key that is allowed. */
  async #protocolOf(key: ServiceKey): Promise<Protocol | SottoError> {
    const { rules, toAllow } = this.#access;
    const permission = permissionFor(rules, key);
    if (permission === undefined) return notAllowed(key, toAllow(key));
    const protocol = await protocolOf(key, permission);
    return protocol.problem === undefined ? protocol : badName(key, protocol.problem);
  }

  /** With each credential that suits, until one is let in. */
  async #ask(key: ServiceKey, protocol: Protocol, prepare: Prepare): Promise<Buffer | SottoError> {
    const { credentials, memory, toGive } = this.#access;
    const trouble = memory.services.trouble(protocol.origin);
    if (trouble !== undefined) return trouble;
    let error = noCredential(key, toGive[key.kind]);
    for (const credential of await credentials(protocol.credential)) {
      if (!suits(credential, protocol)) continue;
      const answer = await this.#askWith(key, protocol, prepare, credential);
      if (!(answer instanceof SottoError)) {
        memory.services.worked(protocol.origin);
        return answer;
      }
      error = answer;
      if (error.code === 'SOTTO-SOPS-071') break;
    }
    if (error.code === 'SOTTO-SOPS-071') memory.services.failed(protocol.origin, error);
    return error;
  }

  /** Of a service everything waits when it cannot be reached; a refusal is a matter of this key and this credential. */
  async #askWith(
    key: ServiceKey,
    protocol: Protocol,
    prepare: Prepare,
    credential: ServiceCredential,
  ): Promise<Buffer | SottoError> {
    const { call, now, memory } = this.#access;
    const standing = memory.of(credential);
    const name = serviceKeyName(key);
    const trouble = standing.refusals.trouble(name);
    if (trouble !== undefined) return trouble;
    const prepared = await prepare(credential, {
      call,
      now: now(),
      session: (place, begin) => standing.session(place, now().getTime(), begin),
    });
    if (prepared instanceof SottoError) return prepared;
    const reply = await call(prepared);
    const reason = reasonOf(reply, protocol.reasonIn);
    if (reason === undefined) {
      standing.refusals.worked(name);
      return reply.kind === 'answer' ? reply.bytes : notUnderstood(key);
    }
    const failure = failureOf(key, reason);
    if (reason.passes) return failure;
    standing.endSessions();
    standing.refusals.failed(name, failure);
    return failure;
  }
}

function suits({ kind, address }: ServiceCredential, protocol: Protocol): boolean {
  if (kind !== protocol.credential) return false;
  return address === undefined || originOf(address) === protocol.origin;
}

/** Loaded when a file has a key of the kind that is allowed. */
async function protocolOf(key: ServiceKey, permission: Permission): Promise<Protocol> {
  switch (key.kind) {
    case 'vault':
      return vaultProtocol(key);
    case 'kms': {
      const { awsKmsProtocol } = await import('./aws-kms.ts');
      return awsKmsProtocol(key, permission);
    }
    case 'gcp_kms': {
      const { gcpKmsProtocol } = await import('./gcp-kms.ts');
      return gcpKmsProtocol(key, permission);
    }
    case 'azure_kv': {
      const { azureKvProtocol } = await import('./azure-kv.ts');
      return azureKvProtocol(key, permission);
    }
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
