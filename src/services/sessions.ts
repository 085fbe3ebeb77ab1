import { SottoError } from '../core/errors.ts';
import type { Secret, ServiceCredential } from './credential.ts';
import { Patience } from './patience.ts';

/** A credential that passes, given for one that stays. */
export interface Session {
  readonly secret: Secret;
  readonly untilMs: number;
}

/** A session that ends while a request is on its way would be refused. */
const MARGIN_MS = 60_000;

/** What came of one credential so far: where it was refused, and its sessions. */
export class Standing {
  /** Keys it may not use, and sessions it was not given. */
  readonly refusals = new Patience();
  readonly #sessions = new Map<string, Promise<Session | SottoError>>();

  /** Files are opened side by side: the first that needs a session begins it, the others wait for the same one. */
  async session(
    name: string,
    nowMs: number,
    begin: () => Promise<Session | SottoError>,
  ): Promise<Session | SottoError> {
    const trouble = this.refusals.trouble(name);
    if (trouble !== undefined) return trouble;
    const pending = this.#sessions.get(name);
    if (pending === undefined) return this.#begin(name, begin);
    const known = await pending;
    if (known instanceof SottoError || known.untilMs - MARGIN_MS > nowMs) return known;
    if (this.#sessions.get(name) === pending) this.#sessions.delete(name);
    return this.session(name, nowMs, begin);
  }

  async #begin(name: string, begin: () => Promise<Session | SottoError>): Promise<Session | SottoError> {
    const begun = begin();
    this.#sessions.set(name, begun);
    const session = await begun;
    if (!(session instanceof SottoError)) {
      this.refusals.worked(name);
      return session;
    }
    this.#sessions.delete(name);
    this.refusals.failed(name, session);
    return session;
  }

  /** A service did not let one of them in. */
  endSessions(): void {
    this.#sessions.clear();
  }
}

/** What is remembered of services and credentials between files. A credential that is read anew starts anew. */
export class ServiceMemory {
  /** Services that cannot be reached. */
  readonly services = new Patience();
  readonly #standings = new WeakMap<ServiceCredential, Standing>();

  of(credential: ServiceCredential): Standing {
    const standing = this.#standings.get(credential) ?? new Standing();
    this.#standings.set(credential, standing);
    return standing;
  }
}
