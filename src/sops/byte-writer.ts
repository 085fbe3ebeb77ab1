import { ownedBytes } from '../core/sensitive.ts';

/** Assembles secret bytes in one owned buffer of a size that is known to suffice. */
export class ByteWriter {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(maxBytes: number) {
    this.#bytes = ownedBytes(maxBytes);
  }

  /** What was written so far, not a copy. Wiped with the writer. */
  get written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Characters that are not secret, all ASCII. */
  ascii(text: string): this {
    for (let at = 0; at < text.length; at += 1) this.byte(text.charCodeAt(at));
    return this;
  }

  byte(value: number): this {
    if (this.#length >= this.#bytes.length) throw new RangeError('the writer is full');
    this.#bytes[this.#length] = value;
    this.#length += 1;
    return this;
  }

  bytes(values: Uint8Array): this {
    if (this.#length + values.length > this.#bytes.length) throw new RangeError('the writer is full');
    this.#bytes.set(values, this.#length);
    this.#length += values.length;
    return this;
  }

  /** A number as hexadecimal digits: of a character of a secret, so not through `toString`. */
  hex(value: number, digits: number): this {
    for (let shift = (digits - 1) * 4; shift >= 0; shift -= 4) {
      const digit = (value >>> shift) & 15;
      this.byte(digit < 10 ? 48 + digit : 55 + digit);
    }
    return this;
  }

  wipe(): void {
    this.#bytes.fill(0);
  }
}
