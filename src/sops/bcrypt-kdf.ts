import { hash } from 'node:crypto';
import { ownedBytes } from '../core/sensitive.ts';

/**
 * bcrypt_pbkdf of OpenSSH, with which ssh-keygen makes a key of a passphrase. On Blowfish, which node:crypto has only as a
 * cipher and without this key schedule. Known answers: test/sops/bcrypt-kdf.test.ts, and keys of ssh-keygen.
 */
export function bcryptKdf(
  passphrase: Uint8Array,
  salt: Uint8Array,
  rounds: number,
  keyBytes: number,
): Uint8Array<ArrayBuffer> {
  const key = ownedBytes(keyBytes);
  const stride = Math.ceil(keyBytes / HASH_BYTES);
  const amount = Math.ceil(keyBytes / stride);
  const secret = wordsOf(hash('sha512', passphrase, 'buffer'));
  const state = new Blowfish();
  for (let count = 1; count <= stride; count += 1) {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(count);
    let next = bcryptHash(state, secret, hash('sha512', Buffer.concat([salt, counter]), 'buffer'));
    const block = Buffer.from(next);
    for (let round = 1; round < rounds; round += 1) {
      const following = bcryptHash(state, secret, hash('sha512', next, 'buffer'));
      next.fill(0);
      next = following;
      for (const [at, byte] of next.entries()) block[at] = (block[at] ?? 0) ^ byte;
    }
    // The blocks are dealt out like cards.
    for (let at = 0; at < amount && at * stride + count - 1 < keyBytes; at += 1) {
      key[at * stride + count - 1] = block[at] ?? 0;
    }
    for (const bytes of [next, block]) bytes.fill(0);
  }
  secret.fill(0);
  state.wipe();
  return key;
}

const HASH_BYTES = 32;
const MAGIC = wordsOf(Buffer.from('OxychromaticBlowfishSwatDynamite', 'latin1'));
const ROUNDS = 64;

function bcryptHash(state: Blowfish, secret: Uint32Array, saltBytes: Buffer): Buffer {
  const salt = wordsOf(saltBytes);
  state.begin();
  state.expand(secret, salt);
  for (let round = 0; round < ROUNDS; round += 1) {
    state.expand(salt);
    state.expand(secret);
  }
  const words = MAGIC.slice();
  for (let round = 0; round < ROUNDS; round += 1) state.encipherAll(words);
  const result = Buffer.alloc(HASH_BYTES);
  words.forEach((each, index) => result.writeUInt32LE(each, index * 4));
  words.fill(0);
  return result;
}

/** Wipes the bytes. */
function wordsOf(bytes: Buffer): Uint32Array {
  const words = new Uint32Array(bytes.length / 4);
  for (let at = 0; at < words.length; at += 1) words[at] = bytes.readUInt32BE(at * 4);
  bytes.fill(0);
  return words;
}

const P_WORDS = 18;
const S_WORDS = 4 * 256;

class Blowfish {
  /** The 18 words of the key schedule, then the four tables. */
  readonly #words = new Uint32Array(P_WORDS + S_WORDS);
  readonly #start = piWords(P_WORDS + S_WORDS);
  #left = 0;
  #right = 0;

  begin(): void {
    this.#words.set(this.#start);
  }

  /** Mixes a key into the state, and a salt of 16 words where there is one. */
  expand(key: Uint32Array, salt?: Uint32Array): void {
    const words = this.#words;
    for (let at = 0; at < P_WORDS; at += 1) words[at] = word(words, at) ^ word(key, at % key.length);
    this.#left = 0;
    this.#right = 0;
    for (let at = 0; at < words.length; at += 2) {
      if (salt !== undefined) {
        this.#left ^= word(salt, at % salt.length);
        this.#right ^= word(salt, (at + 1) % salt.length);
      }
      this.#encipher();
      words[at] = this.#left;
      words[at + 1] = this.#right;
    }
  }

  encipherAll(words: Uint32Array): void {
    for (let at = 0; at < words.length; at += 2) {
      this.#left = word(words, at);
      this.#right = word(words, at + 1);
      this.#encipher();
      words[at] = this.#left;
      words[at + 1] = this.#right;
    }
  }

  wipe(): void {
    this.#words.fill(0);
  }

  #encipher(): void {
    const words = this.#words;
    let left = this.#left ^ word(words, 0);
    let right = this.#right;
    for (let at = 1; at <= 16; at += 2) {
      right ^= mixed(words, left) ^ word(words, at);
      left ^= mixed(words, right) ^ word(words, at + 1);
    }
    this.#left = right ^ word(words, 17);
    this.#right = left;
  }
}

function mixed(words: Uint32Array, x: number): number {
  const a = word(words, P_WORDS + (x >>> 24));
  const b = word(words, P_WORDS + 256 + ((x >>> 16) & 255));
  const c = word(words, P_WORDS + 512 + ((x >>> 8) & 255));
  const d = word(words, P_WORDS + 768 + (x & 255));
  return (((a + b) ^ c) + d) | 0;
}

function word(words: Uint32Array, at: number): number {
  return words[at] ?? 0;
}

/** The first bits of pi behind the point, with which Blowfish starts: π = 16 arctan 1/5 − 4 arctan 1/239. */
function piWords(count: number): Uint32Array {
  const guard = 64n;
  const bits = BigInt(count * 32);
  const one = 1n << (bits + guard);
  const pi = 16n * arctanOfInverse(5n, one) - 4n * arctanOfInverse(239n, one);
  const fraction = (pi - 3n * one) >> guard;
  const hex = fraction.toString(16).padStart(count * 8, '0');
  return Uint32Array.from({ length: count }, (_, at) => Number.parseInt(hex.slice(at * 8, at * 8 + 8), 16));
}

function arctanOfInverse(x: bigint, one: bigint): bigint {
  let power = one / x;
  let sum = power;
  for (let n = 3n; power !== 0n; n += 2n) {
    power = -power / (x * x);
    sum += power / n;
  }
  return sum;
}
