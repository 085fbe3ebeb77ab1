import { copySecret, ownedBytes } from '../core/sensitive.ts';
import { decodeBase64 } from './owned-base64.ts';

/**
 * The outer form of OpenPGP, RFC 9580: armour and packets, as far as sizes, kinds and key ids go. Everything from
 * outside passes here before the library sees it, and a key never becomes a string on the way.
 */
export type ArmourKind = 'PRIVATE KEY BLOCK' | 'PUBLIC KEY BLOCK' | 'MESSAGE';

export interface Armoured {
  readonly kind: ArmourKind;
  /** The caller wipes them. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const KINDS: readonly ArmourKind[] = ['PRIVATE KEY BLOCK', 'PUBLIC KEY BLOCK', 'MESSAGE'];
const BEGIN = '-----BEGIN PGP ';
const MAX_BLOCKS = 100;

/** All armoured blocks of a text, which may hold other text between them. Undefined when one of them is broken. */
export function dearmour(text: Uint8Array): Armoured[] | undefined {
  const view = Buffer.from(text.buffer, text.byteOffset, text.length);
  const blocks: Armoured[] = [];
  let at = view.indexOf(BEGIN);
  while (at !== -1) {
    const block = blocks.length < MAX_BLOCKS ? blockAt(view, at) : undefined;
    if (block === undefined) {
      for (const { bytes } of blocks) bytes.fill(0);
      return undefined;
    }
    blocks.push(block.armoured);
    at = view.indexOf(BEGIN, block.end);
  }
  return blocks;
}

function blockAt(view: Buffer, start: number): { readonly armoured: Armoured; readonly end: number } | undefined {
  const name = view.toString('latin1', start + BEGIN.length, start + BEGIN.length + 24);
  const kind = KINDS.find((each) => name.startsWith(`${each}-----`));
  if (kind === undefined) return undefined;
  const end = view.indexOf(`-----END PGP ${kind}-----`, start);
  const body = end === -1 ? -1 : endOfHeaders(view, start, end);
  if (body === -1) return undefined;
  // The checksum of old programs, which newer ones leave out and nobody needs.
  const checksum = view.subarray(body, end).lastIndexOf('\n=');
  const base64 = view.subarray(body, checksum === -1 ? end : body + checksum);
  const bytes = decodeBase64(base64);
  return bytes === undefined ? undefined : { armoured: { kind, bytes }, end };
}

/** Headers (`Comment: …`) end with an empty line. */
function endOfHeaders(view: Buffer, start: number, end: number): number {
  let line = view.indexOf(0x0a, start) + 1;
  while (line > 0 && line < end) {
    const next = view.indexOf(0x0a, line);
    if (next === -1 || next > end) return -1;
    if (view.subarray(line, next).every((char) => char === 0x20 || char === 0x0d || char === 0x09)) return next + 1;
    line = next + 1;
  }
  return -1;
}

export interface Packet {
  readonly tag: number;
  /** Of the packet with its head. */
  readonly start: number;
  readonly end: number;
  /** Of a packet in pieces only the first one. */
  readonly body: Uint8Array;
  readonly isPartial: boolean;
}

export const TAG = {
  wrappedKey: 1,
  secretKey: 5,
  publicKey: 6,
  secretSubkey: 7,
  publicSubkey: 14,
  protectedData: 18,
  aeadData: 20,
} as const;

/** Data packets may come in pieces; all others are told whole. */
const MAY_BE_PARTIAL: readonly number[] = [TAG.protectedData, TAG.aeadData];

/** Undefined for bytes that are no row of packets, or more than `maxPackets`. */
export function packetsOf(bytes: Uint8Array, maxPackets: number): Packet[] | undefined {
  const packets: Packet[] = [];
  let at = 0;
  while (at < bytes.length) {
    const packet = packets.length < maxPackets ? packetAt(bytes, at) : undefined;
    if (packet === undefined) return undefined;
    packets.push(packet);
    at = packet.end;
  }
  return packets;
}

function packetAt(bytes: Uint8Array, start: number): Packet | undefined {
  const head = bytes[start] ?? 0;
  if ((head & 0x80) === 0) return undefined;
  const isNew = (head & 0x40) !== 0;
  const tag = isNew ? head & 0x3f : (head >> 2) & 0x0f;
  const first = isNew ? newLength(bytes, start + 1) : oldLength(bytes, start + 1, head & 3);
  if (first === undefined || (first.isPartial && !MAY_BE_PARTIAL.includes(tag))) return undefined;
  const body = bytes.subarray(first.at, first.at + first.length);
  let piece: Length | undefined = first;
  while (piece?.isPartial === true) piece = newLength(bytes, piece.at + piece.length);
  if (piece === undefined || piece.at + piece.length > bytes.length) return undefined;
  return { tag, start, end: piece.at + piece.length, body, isPartial: first.isPartial };
}

interface Length {
  /** Where the bytes start that are counted. */
  readonly at: number;
  readonly length: number;
  readonly isPartial: boolean;
}

function newLength(bytes: Uint8Array, at: number): Length | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  if (first < 192) return { at: at + 1, length: first, isPartial: false };
  if (first < 224) return { at: at + 2, length: ((first - 192) << 8) + (bytes[at + 1] ?? 0) + 192, isPartial: false };
  if (first < 255) return { at: at + 1, length: 2 ** (first & 0x1f), isPartial: true };
  return { at: at + 5, length: numberAt(bytes, at + 1, 4), isPartial: false };
}

/** Of one, two or four bytes; a length that is not told has no place here. */
function oldLength(bytes: Uint8Array, at: number, kind: number): Length | undefined {
  if (kind === 3) return undefined;
  const size = 2 ** kind;
  return { at: at + size, length: numberAt(bytes, at, size), isPartial: false };
}

export function numberAt(bytes: Uint8Array, at: number, size: number): number {
  let number = 0;
  for (let index = at; index < at + size; index += 1) number = number * 256 + (bytes[index] ?? 0);
  return number;
}

/** An own copy, to be kept or wiped apart from where it came from. */
export function ownCopy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const own = ownedBytes(bytes.length);
  copySecret(bytes, own);
  return own;
}
