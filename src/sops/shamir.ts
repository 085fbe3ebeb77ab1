import { randomFillSync } from 'node:crypto';
import { ownedBytes } from '../core/sensitive.ts';

/**
 * Shamir's secret sharing over GF(2^8) as sops does it (spec/sops.md 14): for each byte a polynomial of its own, and
 * behind the values of a share the point at which they were taken. No table is indexed by a secret.
 */
export const MAX_SHARES = 255;

/** `parts` shares of which any `threshold` give the secret. The caller wipes them. 2 ≤ threshold ≤ parts ≤ 255. */
export function splitSecret(secret: Uint8Array, parts: number, threshold: number): Uint8Array<ArrayBuffer>[] {
  if (threshold < 2 || threshold > parts || parts > MAX_SHARES) throw new RangeError('no such sharing');
  const shares = Array.from({ length: parts }, () => ownedBytes(secret.length + 1));
  const coefficients = ownedBytes(threshold);
  try {
    for (const [at, byte] of secret.entries()) {
      randomFillSync(coefficients);
      coefficients[0] = byte;
      for (const [index, share] of shares.entries()) share[at] = valueAt(coefficients, index + 1);
    }
  } finally {
    coefficients.fill(0);
  }
  for (const [index, share] of shares.entries()) share[secret.length] = index + 1;
  return shares;
}

/**
 * The secret behind the shares, all of which are used; the caller wipes it. Undefined for shares that do not belong
 * together by their form. Nothing tells whether they do by content: wrong ones give a wrong secret.
 */
export function combineShares(shares: readonly Uint8Array[]): Uint8Array<ArrayBuffer> | undefined {
  const length = shares[0]?.length ?? 0;
  const points = shares.map((share) => share[length - 1] ?? 0);
  if (shares.length < 2 || length < 2 || shares.some((share) => share.length !== length)) return undefined;
  if (points.includes(0) || new Set(points).size !== points.length) return undefined;
  const secret = ownedBytes(length - 1);
  for (const [index, share] of shares.entries()) {
    const weight = weightAtZero(points, index);
    for (let at = 0; at < secret.length; at += 1) {
      secret[at] = (secret[at] ?? 0) ^ multiply(share[at] ?? 0, weight);
    }
  }
  return secret;
}

/** Lagrange's basis polynomial of one point, at 0. Subtraction is addition here. */
function weightAtZero(points: readonly number[], index: number): number {
  const own = points[index] ?? 0;
  let weight = 1;
  for (const [at, point] of points.entries()) {
    if (at !== index) weight = multiply(weight, multiply(point, inverse(point ^ own)));
  }
  return weight;
}

function valueAt(coefficients: Uint8Array, point: number): number {
  let value = 0;
  for (let at = coefficients.length - 1; at >= 0; at -= 1) value = multiply(value, point) ^ (coefficients[at] ?? 0);
  return value;
}

/** Modulo x^8 + x^4 + x^3 + x + 1. */
function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = a;
  for (let bit = 0; bit < 8; bit += 1) {
    product ^= shifted & -((b >> bit) & 1);
    shifted = ((shifted << 1) ^ (0x11b & -(shifted >> 7))) & 0x1ff;
  }
  return product & 0xff;
}

/** a^254. */
function inverse(a: number): number {
  let result = 1;
  for (let bit = 7; bit >= 0; bit -= 1) {
    result = multiply(result, result);
    if ((254 >> bit) & 1) result = multiply(result, a);
  }
  return result;
}
