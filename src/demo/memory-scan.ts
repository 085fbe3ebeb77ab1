import { randomBytes, randomInt } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/** Values made to be found again: every chunk is 15 bytes, the prefix and 9 random letters or digits. */
export interface CanarySet {
  /** Six characters, different in every set, so that one test's values are not taken for another's. */
  readonly prefix: string;
  readonly values: readonly string[];
}

/** What is looked for. `chunkValue` says to which value (by number) a chunk belongs. */
export interface Needles {
  readonly prefix: string;
  readonly valueCount: number;
  readonly chunkValue: ReadonlyMap<string, number>;
}

export type CanaryForm = 'utf8' | 'utf16le' | 'base64' | 'base64-utf16le' | 'hex';

export interface ScanResult {
  /** Distinct values of which at least one whole chunk was found. */
  readonly valuesFound: number;
  /** Places where the prefix stands with something else behind it: a fragment, a failure as well. */
  readonly partials: number;
  /** Whole chunks found (places, not values), by the form they have. */
  readonly hits: Readonly<Record<CanaryForm, number>>;
  readonly scannedBytes: number;
}

export interface ScanOptions {
  /** Stop the process while it is read, for a stable picture. */
  readonly freeze?: boolean;
  /** Also mappings that cannot be written or read by the process itself. */
  readonly allMappings?: boolean;
}

export const CHUNK_BYTES = 15;
const PREFIX_BYTES = 6;
const PIECE_BYTES = 8 * 1024 * 1024;
const OVERLAP_BYTES = 256;
const LARGEST_MAPPING_BYTES = 8 * 1024 ** 3;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** 15 is a multiple of 3: a chunk's base64 is the same 20 characters wherever it stands in its value. */
export function createCanaries(count: number, chunksPerValue = 4, prefix = randomText(PREFIX_BYTES)): CanarySet {
  const chunk = (): string => prefix + randomText(CHUNK_BYTES - PREFIX_BYTES);
  const values = Array.from({ length: count }, () => Array.from({ length: chunksPerValue }, chunk).join(''));
  return { prefix, values };
}

function randomText(length: number): string {
  return Array.from(randomBytes(length), () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('');
}

export function needlesOf({ prefix, values }: CanarySet): Needles {
  const chunkValue = new Map<string, number>();
  for (const [index, value] of values.entries()) {
    for (let at = 0; at + CHUNK_BYTES <= value.length; at += CHUNK_BYTES) {
      chunkValue.set(value.slice(at, at + CHUNK_BYTES), index);
    }
  }
  return { prefix, valueCount: values.length, chunkValue };
}

/** Looks for the values in the memory of a process. Needs root or the same user with ptrace permission. */
export function scanProcess(pid: number, needles: Needles, options: ScanOptions = {}): ScanResult {
  const search = startSearch(needles);
  if (options.freeze === true) process.kill(pid, 'SIGSTOP');
  try {
    const memory = openSync(`/proc/${pid}/mem`, 'r');
    try {
      for (const mapping of mappingsOf(pid, options.allMappings === true)) scanMapping(memory, mapping, search);
    } finally {
      closeSync(memory);
    }
  } finally {
    if (options.freeze === true) process.kill(pid, 'SIGCONT');
  }
  return search.result();
}

/** The same search in bytes: files, logs, answers. */
export function scanBytes(bytes: Uint8Array, needles: Needles): ScanResult {
  const search = startSearch(needles);
  search.take(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), bytes.byteLength);
  return search.result();
}

interface Mapping {
  readonly start: number;
  readonly end: number;
}

function mappingsOf(pid: number, all: boolean): readonly Mapping[] {
  const mappings: Mapping[] = [];
  for (const line of readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n')) {
    const parsed = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+ *(.*)$/.exec(line);
    if (parsed === null) continue;
    const [, from = '', to = '', permissions = '', name = ''] = parsed;
    const [start, end] = [Number.parseInt(from, 16), Number.parseInt(to, 16)];
    const wanted = all || permissions.startsWith('rw');
    // Addresses above 2^53 are the kernel's own pages.
    if (!wanted || /^\[(vvar|vsyscall)/.test(name) || !Number.isSafeInteger(end)) continue;
    if (end - start <= LARGEST_MAPPING_BYTES) mappings.push({ start, end });
  }
  return mappings;
}

/** Pieces overlap, so that what lies on a border is whole in one of them; a place that cannot be read ends the mapping. */
function scanMapping(memory: number, { start, end }: Mapping, search: Search): void {
  const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, end - start));
  for (let at = start; at < end; at += PIECE_BYTES - OVERLAP_BYTES) {
    const length = Math.min(piece.length, end - at);
    const read = readMemory(memory, piece, length, at);
    if (read === 0) return;
    const isLast = at + read >= end;
    search.take(piece.subarray(0, read), isLast ? read : read - OVERLAP_BYTES);
    if (isLast) return;
  }
}

function readMemory(memory: number, piece: Buffer, length: number, position: number): number {
  try {
    return readSync(memory, piece, 0, length, position);
  } catch {
    return 0;
  }
}

interface Search {
  /** Counts what begins before `countedBytes`; the rest is there to complete it, and comes again in the next piece. */
  take(piece: Buffer, countedBytes: number): void;
  result(): ScanResult;
}

/** One way in which the prefix can stand in memory. */
interface Pattern {
  readonly form: CanaryForm;
  readonly bytes: Buffer;
  /** The chunk that stands here, or undefined when it is none that is known. */
  readonly chunkAt: (piece: Buffer, at: number) => number | undefined;
}

function startSearch(needles: Needles): Search {
  const patterns = patternsOf(needles);
  const found = new Set<number>();
  const hits: Record<CanaryForm, number> = { utf8: 0, utf16le: 0, base64: 0, 'base64-utf16le': 0, hex: 0 };
  let partials = 0;
  let scannedBytes = 0;
  return {
    take(piece, countedBytes) {
      scannedBytes += countedBytes;
      for (const pattern of patterns) {
        let at = piece.indexOf(pattern.bytes);
        while (at !== -1 && at < countedBytes) {
          const value = pattern.chunkAt(piece, at);
          if (value === undefined) partials += 1;
          else {
            found.add(value);
            hits[pattern.form] += 1;
          }
          at = piece.indexOf(pattern.bytes, at + 1);
        }
      }
    },
    result: () => ({ valuesFound: found.size, partials, hits, scannedBytes }),
  };
}

function patternsOf(needles: Needles): readonly Pattern[] {
  const plain = Buffer.from(needles.prefix, 'latin1');
  const wide = Buffer.from(needles.prefix, 'utf16le');
  const known = (chunk: string): number | undefined => needles.chunkValue.get(chunk);
  const patterns: Pattern[] = [
    { form: 'utf8', bytes: plain, chunkAt: (piece, at) => known(piece.toString('latin1', at, at + CHUNK_BYTES)) },
    {
      form: 'utf16le',
      bytes: wide,
      chunkAt: (piece, at) => known(piece.subarray(at, at + 2 * CHUNK_BYTES).toString('utf16le')),
    },
  ];
  for (const digits of [plain.toString('hex'), plain.toString('hex').toUpperCase()]) {
    const chunkAt = (piece: Buffer, at: number): number | undefined =>
      known(Buffer.from(piece.toString('latin1', at, at + 2 * CHUNK_BYTES), 'hex').toString('latin1'));
    patterns.push({ form: 'hex', bytes: Buffer.from(digits), chunkAt });
  }
  for (const offset of [0, 1, 2]) patterns.push(...base64Patterns(needles, offset));
  return patterns;
}

/**
 * The chunk begins `offset` bytes into a group of three. Of its base64 only the characters that the prefix alone
 * decides can be searched; the others hang on its neighbours.
 */
function base64Patterns({ prefix, chunkValue }: Needles, offset: number): readonly Pattern[] {
  const fixedFrom = Math.ceil((8 * offset) / 6);
  const fixedTo = Math.floor((8 * (offset + PREFIX_BYTES)) / 6);
  const fixed = encodeAt(prefix, offset).slice(fixedFrom, fixedTo);
  const knownTo = Math.floor((8 * (offset + CHUNK_BYTES)) / 6);
  const known = new Map<string, number>();
  for (const [chunk, value] of chunkValue) known.set(encodeAt(chunk, offset).slice(fixedFrom, knownTo), value);
  const chars = knownTo - fixedFrom;
  return [
    {
      form: 'base64',
      bytes: Buffer.from(fixed, 'latin1'),
      chunkAt: (piece, at) => known.get(piece.toString('latin1', at, at + chars)),
    },
    {
      form: 'base64-utf16le',
      bytes: Buffer.from(fixed, 'utf16le'),
      chunkAt: (piece, at) => known.get(piece.subarray(at, at + 2 * chars).toString('utf16le')),
    },
  ];
}

function encodeAt(text: string, offset: number): string {
  return Buffer.concat([Buffer.alloc(offset), Buffer.from(text, 'latin1')]).toString('base64');
}
