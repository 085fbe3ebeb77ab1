import { SottoError } from '../../core/errors.ts';
import { type FingerprintKey, keyedValueDigest } from '../../keys/fingerprint.ts';
import type { Opener } from '../../open/opener.ts';
import type { AgentContext } from '../context.ts';
import type { SyncRuntime } from '../sync-runtime.ts';
import { bareValue } from './bare-value.ts';
import type { AppliedValue } from './values.ts';

const DIGEST_BYTES = 16;

/** Opens values of any sync with the keys of that sync. Lives for one look. */
export class Openers implements Disposable {
  readonly #agent: AgentContext;
  readonly #openers = new Map<SyncRuntime, Opener>();

  constructor(agent: AgentContext) {
    this.#agent = agent;
  }

  /**
   * Keyed, with the key of an exposure; none for an empty value, in which there is nothing to know. The value is wiped.
   * Throws SottoError for what does not open.
   */
  async digest({ sync, ref }: AppliedValue, key: FingerprintKey): Promise<string> {
    const opener = this.#openers.get(sync) ?? this.#agent.opener(sync);
    this.#openers.set(sync, opener);
    using value = bareValue(await opener.open(ref), ref.form);
    if (value.length === 0) return '';
    const digest = keyedValueDigest(key, 'exposure', [], value);
    return digest.subarray(0, DIGEST_BYTES).toString('base64url');
  }

  /** The same; undefined for what does not open. */
  async digestIfOpens(value: AppliedValue, key: FingerprintKey): Promise<string | undefined> {
    try {
      return await this.digest(value, key);
    } catch (thrown) {
      if (thrown instanceof SottoError) return undefined;
      throw thrown;
    }
  }

  [Symbol.dispose](): void {
    for (const opener of this.#openers.values()) opener[Symbol.dispose]();
    this.#openers.clear();
  }
}
