import { inspect } from 'node:util';

const MARK = '[sensitive]';

/**
 * A buffer for secret bytes. Never `new Uint8Array(n)`: up to 64 bytes those live inside the V8 heap, where a
 * collection moves them and leaves a copy that cannot be wiped (spec/memory.md, R3).
 */
export function ownedBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}

const ZEROS = new Uint8Array(1024);
const SINK = new Uint8Array(1024);

/** Copies secret bytes, and leaves none in registers. */
export function copySecret(from: Uint8Array, to: Uint8Array, at = 0): void {
  to.set(from, at);
  forgetCopied();
}

/**
 * What a copy moves stays in vector registers of the processor, and V8 writes those to memory, which it frees as it is,
 * when it gives up optimized code (`FrameDescription` of its deoptimizer, seen with AVX2). The same work on zeros takes
 * their place.
 */
export function forgetCopied(): void {
  SINK.set(ZEROS);
}

/**
 * Secret bytes with no string form: templates, `String`, `JSON.stringify`, `util.inspect` and loggers print a mark.
 * The bytes are an own allocation and are overwritten by `wipe`; whoever made a Sensitive wipes it in `finally`.
 * `reveal` may be called only in the files that the house test lists.
 */
export class Sensitive implements Disposable {
  readonly #bytes: Uint8Array<ArrayBuffer>;

  private constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
  }

  /** Takes the bytes over without a copy: the caller gives up its reference. They must come from `ownedBytes` or WebCrypto. */
  static adopt(bytes: Uint8Array<ArrayBuffer>): Sensitive {
    return new Sensitive(bytes);
  }

  static copyOf(bytes: Uint8Array): Sensitive {
    const own = ownedBytes(bytes.length);
    copySecret(bytes, own);
    return new Sensitive(own);
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** The bytes themselves, not a copy: do not keep them past `wipe`. */
  reveal(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  equals(other: Sensitive): boolean {
    return Buffer.from(this.#bytes.buffer).equals(other.#bytes);
  }

  wipe(): void {
    this.#bytes.fill(0);
  }

  [Symbol.dispose](): void {
    this.wipe();
  }

  toString(): string {
    return MARK;
  }

  toJSON(): string {
    return MARK;
  }

  [Symbol.toPrimitive](): string {
    return MARK;
  }

  [inspect.custom](): string {
    return MARK;
  }
}
