import { copySecret, ownedBytes } from '../core/sensitive.ts';

/** Assembles secret bytes in an owned buffer; one that became too small is wiped when its content has moved. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(expectedBytes: number) {
    this.#bytes = ownedBytes(expectedBytes);
  }

  get length(): number {
    return this.#length;
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
    if (this.#length >= this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length] = value;
    this.#length += 1;
    return this;
  }

  bytes(values: Uint8Array): this {
    if (this.#length + values.length > this.#bytes.length) this.#grow(values.length);
    copySecret(values, this.#bytes, this.#length);
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

  /** Text that is not secret. */
  text(text: string): this {
    return this.bytes(Buffer.from(text, 'utf8'));
  }

  /** What was written, in memory of its own; the writer is wiped. The caller wipes the result. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = ownedBytes(this.#length);
    copySecret(this.written, taken);
    this.wipe();
    return taken;
  }

  wipe(): void {
    this.#bytes.fill(0);
  }

  #grow(byBytes: number): void {
    const before = this.#bytes;
    this.#bytes = ownedBytes(Math.max(64, before.length * 2, this.#length + byBytes));
    copySecret(before, this.#bytes);
    before.fill(0);
  }
}
