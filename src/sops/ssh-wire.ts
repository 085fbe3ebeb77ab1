import { createHash } from 'node:crypto';

/** SSH's length-prefixed fields; undefined past the end. Views, not copies. */
export class SshReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  raw(length: number): Buffer | undefined {
    if (this.#at + length > this.#bytes.length) return undefined;
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  uint32(): number | undefined {
    return this.raw(4)?.readUInt32BE();
  }

  bytes(): Buffer | undefined {
    const length = this.uint32();
    return length === undefined ? undefined : this.raw(length);
  }

  /** Of what is not secret. */
  text(): string | undefined {
    return this.bytes()?.toString('latin1');
  }
}

/** A field of SSH's wire form. */
export function sshField(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** What a stanza names its key by. */
export function sshTag(wire: Uint8Array): Buffer {
  return createHash('sha256').update(wire).digest().subarray(0, 4);
}
