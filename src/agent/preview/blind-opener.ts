import type { CipherSource, SecretRef } from '../../core/closed.ts';
import { asSottoError, type SottoError } from '../../core/errors.ts';
import { Sensitive } from '../../core/sensitive.ts';
import type { Opener, SopsSource } from '../../open/opener.ts';
import type { SopsFile } from '../../sops/file.ts';
import { envNames, type OpenedVariable, type SopsWhole } from '../../sops/whole.ts';
import { NO_KEY_FITS } from './open-files.ts';

type TokenOpener = Pick<Opener, 'open' | 'openVariables' | 'verifySops' | 'verifyWhole'>;

/**
 * Opens what the keys at hand open; of the rest the ciphertext stands for the value, so that a build goes on and shows
 * its structure. What was not opened is known afterwards.
 */
export class BlindOpener implements TokenOpener {
  readonly unopened = new Map<CipherSource, SottoError>();
  readonly #opener: Opener;

  constructor(opener: Opener) {
    this.#opener = opener;
  }

  verifySops(source: SopsSource, file: SopsFile): Promise<void> {
    return this.#orBlind(source, () => this.#opener.verifySops(source, file));
  }

  verifyWhole(source: SopsSource, whole: SopsWhole): Promise<void> {
    return this.#orBlind(source, () => this.#opener.verifyWhole(source, whole));
  }

  async open(ref: SecretRef): Promise<Sensitive> {
    let value: Sensitive | undefined;
    if (!this.unopened.has(ref.source)) {
      await this.#orBlind(ref.source, async () => {
        value = await this.#opener.open(ref);
      });
    }
    return value ?? Sensitive.copyOf(Buffer.from(ref.cipher.text));
  }

  async openVariables(source: SopsSource, whole: SopsWhole): Promise<OpenedVariable[]> {
    const error = this.unopened.get(source);
    if (error === undefined) return this.#opener.openVariables(source, whole);
    const names = envNames(whole);
    // Encrypted as a whole: nobody without a key knows what is in it.
    if (names === undefined) throw error;
    return names.map((key, line) => ({ key, line, value: Sensitive.copyOf(Buffer.from(`${key} ${whole.text}`)) }));
  }

  /** What is missing to open a reference. A file whose tokens are remembered was not opened on the way. */
  async missing(ref: SecretRef): Promise<SottoError | undefined> {
    if (!this.unopened.has(ref.source)) (await this.open(ref)).wipe();
    return this.unopened.get(ref.source);
  }

  async #orBlind(source: CipherSource, open: () => Promise<void>): Promise<void> {
    try {
      await open();
    } catch (thrown) {
      const error = asSottoError(thrown);
      if (!NO_KEY_FITS.has(error.code)) throw error;
      this.unopened.set(source, error.at({ file: source.file }));
    }
  }
}
