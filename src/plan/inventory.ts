import { gunzipSync, gzipSync } from 'node:zlib';
import { type ObjectKey, objectIdOf, type SourceDigest } from '../core/ids.ts';
import { arrayAt, isJsonObject, type Json, member, stringAt } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import type { Approval } from './hold.ts';
import type { Pause, PauseTarget } from './pause.ts';
import { type Rank, rankIn, rankText } from './rank.ts';

/** One object that sotto applied, or is about to apply for the first time (`uid` is empty then). */
export interface InventoryRow {
  readonly key: ObjectKey;
  readonly apiVersion: string;
  /** Name of the sync it belongs to. */
  readonly sync: string;
  readonly file: string;
  readonly line: number;
  readonly digest: SourceDigest;
  readonly uid: string;
  /** The last resourceVersion that was judged in sync, and what goes with it (spec/drift.md 3.2, 3.8). */
  readonly resourceVersion: string;
  readonly generation: number;
  readonly setDigest: string;
  readonly ownTime: string;
  /** The manifest asked that it is kept when it leaves Git. */
  readonly keep: boolean;
  /** When it was applied within its sync, for the prune; undefined: as its kind stands. */
  readonly rank: Rank | undefined;
  /** A Job that finished: its absence is no drift. */
  readonly done: boolean;
  /** It is done and has failed. */
  readonly failed: boolean;
  readonly encrypted: boolean;
  /** Field paths left to others, packed (drift/packed.ts): nobody's values. */
  readonly yielded: Uint8Array | undefined;
  /** Foreign additions that stay, packed. */
  readonly accepted: Uint8Array | undefined;
  /** Of a workload that is restarted when what its Pods read changes: what they read now. */
  readonly restart: RestartMark | undefined;
  /** It has left Git and is pruned, or about to be: nobody makes it again. */
  readonly left?: true | undefined;
}

export interface RestartMark {
  /** Of the documents in Git: equal, and there is nothing to open. */
  readonly sources: SourceDigest;
  readonly template: SourceDigest;
  /** Keyed digest of the values. */
  readonly values: string;
}

/** The part of a row that tells of the live object, before anything of it was seen. */
export const UNSEEN = {
  uid: '',
  resourceVersion: '',
  generation: 0,
  setDigest: '',
  ownTime: '',
  done: false,
  failed: false,
  yielded: undefined,
  accepted: undefined,
  restart: undefined,
} as const satisfies Partial<InventoryRow>;

/** Which agent may write. A clean stop clears the holder (spec/drift.md 3.12). */
export interface Holder {
  readonly instance: string;
  /** The Pod of the holder, where it runs in one. */
  readonly pod?: string | undefined;
}

export interface Inventory {
  readonly epoch: number;
  readonly holder?: Holder | undefined;
  /** The last revision of each sync that was applied without a refusal or hold. */
  readonly revisions: Readonly<Record<string, string>>;
  /** What people asked to be left alone, and the plan of each sync they said yes to. */
  readonly pauses: readonly Pause[];
  readonly approvals: Readonly<Record<string, Approval>>;
  /** What stood for secrets in the files of a renderer, by sync: with it an unchanged file is not opened again. */
  readonly tokens: Readonly<Record<string, readonly StoredTokens[]>>;
  /** Syncs whose objects go when they leave the settings (`deletionPolicy: delete`), with how they are deleted then. */
  readonly leaving: Readonly<Record<string, LeavingRule>>;
  /** Where each sync comes from, as a digest: a sync of another name that comes from there is the same one. */
  readonly sources: Readonly<Record<string, SourceDigest>>;
  /** Where what was applied last is kept, by sync. */
  readonly last: Readonly<Record<string, LastRecord>>;
  /** What the agent has left in ConfigMap `sotto-exposure`. */
  readonly exposure?: ExposureMark | undefined;
  /** The last time that somebody showed that everything comes back. */
  readonly rehearsal?: Rehearsal | undefined;
  readonly rows: ReadonlyMap<ObjectKey, InventoryRow>;
}

/** What who rehearsed the loss of the namespace said of it. */
export interface Rehearsal {
  /** RFC 3339. */
  readonly at: string;
  readonly by: string;
  readonly documents: number;
  readonly objects: number;
}

/** The ConfigMaps that hold what a sync applied last: only these, with this content, by this version and for these settings. */
export interface LastRecord {
  readonly version: string;
  /** Of the settings that say what the objects are. */
  readonly shape: string;
  /** `at` is the N of `sotto-last-N`; the id is a keyed digest of the content. */
  readonly parts: readonly { readonly at: number; readonly id: string }[];
}

export interface ExposureMark {
  /** One more with each write: an older ConfigMap, or none, is not what the agent has left there. */
  readonly serial: number;
  readonly isEmpty: boolean;
}

/** Of the settings of a sync, what must be known when they are gone. */
export interface LeavingRule {
  readonly serviceAccountName?: string | undefined;
  /** Kinds that stay, besides PersistentVolumeClaims. */
  readonly ask: readonly { readonly group?: string | undefined; readonly kind: string }[];
  /** Syncs that came first, and go last. */
  readonly dependsOn?: readonly string[] | undefined;
}

/** The tokens of one file, by the digest of its ciphertext: keyed digests of values, never a value. */
export interface StoredTokens {
  readonly digest: SourceDigest;
  readonly tokens: readonly string[];
  readonly names: readonly string[];
}

export const EMPTY_INVENTORY: Inventory = {
  epoch: 0,
  revisions: {},
  pauses: [],
  approvals: {},
  tokens: {},
  leaving: {},
  sources: {},
  last: {},
  rows: new Map(),
};

/** Makes the 32-byte MAC of the compressed rows with the fingerprint key. */
export type Mac = (bytes: Uint8Array) => Uint8Array;

const MAC_BYTES = 32;
const FORMAT = 1;

type RowTuple = [
  ...[string, string, string, string, number, string, string, string, number, string, string, number],
  ...(readonly string[]),
];

/** The one entry of ConfigMap `sotto-inventory`: MAC, then gzip of the rows. */
export function encodeInventory(inventory: Inventory, mac: Mac): Buffer {
  const { rows: byKey, ...header } = inventory;
  const rows = [...byKey.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(toTuple);
  const stored = { format: FORMAT, ...header, rows };
  const packed = gzipSync(JSON.stringify(stored));
  return Buffer.concat([mac(packed), packed]);
}

interface Stored {
  readonly format: number;
  readonly epoch: number;
  readonly holder?: Holder;
  readonly revisions: Record<string, string>;
  readonly pauses?: StoredPause[];
  readonly approvals?: Record<string, Approval>;
  readonly tokens?: Record<string, StoredTokens[]>;
  readonly leaving?: Record<string, LeavingRule>;
  readonly sources?: Record<string, SourceDigest>;
  readonly last?: Record<string, LastRecord>;
  readonly exposure?: ExposureMark;
  readonly rehearsal?: Rehearsal;
  readonly rows: RowTuple[];
}

/** `undefined` when the entry is not ours: cut, changed, or made with another fingerprint key. Nothing is pruned then. */
export function decodeInventory(entry: Uint8Array, mac: Mac): Inventory | undefined {
  if (entry.length <= MAC_BYTES || entry.length > LIMITS.maxInventoryBytes) return undefined;
  const packed = entry.subarray(MAC_BYTES);
  if (!Buffer.from(mac(packed)).equals(entry.subarray(0, MAC_BYTES))) return undefined;
  // Only what the MAC vouches for is unpacked, so this is text that sotto itself wrote.
  const stored = JSON.parse(gunzipSync(packed).toString('utf8')) as Stored;
  if (stored.format !== FORMAT) return undefined;
  const {
    epoch,
    exposure,
    holder,
    rehearsal,
    revisions,
    approvals = {},
    tokens = {},
    leaving = {},
    sources = {},
    last = {},
  } = stored;
  const pauses = (stored.pauses ?? []).map((pause) => ({ ...pause, until: new Date(pause.until) }));
  return {
    epoch,
    holder,
    revisions,
    pauses,
    approvals,
    tokens,
    leaving,
    sources,
    last,
    exposure,
    rehearsal,
    rows: new Map(stored.rows.map(toRow).map((row) => [row.key, row])),
  };
}

interface StoredPause {
  readonly target: PauseTarget;
  readonly until: string;
  readonly by: string;
  readonly reason: string;
}

/**
 * The rows as they stand there, for people without the fingerprint key: nothing vouches for them, so they may be shown
 * and compared with, and nothing is ever done on their word. `undefined` when the entry cannot be read.
 */
export function unverified(entry: Uint8Array): Pick<Inventory, 'rows' | 'tokens'> | undefined {
  try {
    const text = gunzipSync(entry.subarray(MAC_BYTES), { maxOutputLength: LIMITS.maxListAnswerBytes }).toString('utf8');
    const stored = JSON.parse(text) as unknown;
    if (member(stored, 'format') !== FORMAT) return undefined;
    const rows = arrayAt(stored, 'rows').filter((row): row is Json & RowTuple => isRowTuple(row));
    return { rows: new Map(rows.map(toRow).map((row) => [row.key, row])), tokens: tokensIn(member(stored, 'tokens')) };
  } catch {
    return undefined;
  }
}

function tokensIn(stored: unknown): Inventory['tokens'] {
  if (!isJsonObject(stored)) return {};
  return Object.fromEntries(
    Object.entries(stored).map(([sync, files]) => [sync, (Array.isArray(files) ? files : []).flatMap(tokensOfFile)]),
  );
}

function tokensOfFile(file: unknown): StoredTokens[] {
  const digest = stringAt(file, 'digest');
  const [tokens, names] = ['tokens', 'names'].map((key) => arrayAt(file, key).map(String));
  if (digest === undefined || tokens?.every((token) => /^(?:soTTo[A-Za-z0-9]{43})?$/.test(token)) !== true) return [];
  return [{ digest: digest as SourceDigest, tokens, names: names ?? [] }];
}

const NUMBER_CELLS: ReadonlySet<number> = new Set([4, 8, 11]);

function isRowTuple(row: Json): boolean {
  if (!Array.isArray(row) || row.length < FIXED_CELLS) return false;
  return row.every((cell: Json, at) => typeof cell === (NUMBER_CELLS.has(at) ? 'number' : 'string'));
}

const FIXED_CELLS = 12;
const KEEP = 1;
const DONE = 2;
const ENCRYPTED = 4;
const FAILED = 8;
const LEFT = 16;

function toTuple(row: InventoryRow): RowTuple {
  const ended = (row.done ? DONE : 0) | (row.failed ? FAILED : 0);
  const place = (row.keep ? KEEP : 0) | (row.left === true ? LEFT : 0);
  const flags = place | ended | (row.encrypted ? ENCRYPTED : 0);
  return [
    row.key,
    row.apiVersion,
    row.sync,
    row.file,
    row.line,
    row.digest,
    row.uid,
    row.resourceVersion,
    row.generation,
    row.setDigest,
    row.ownTime,
    flags,
    ...packedTexts(row),
  ];
}

/** Nearly always absent, so they are left out of the row. */
function packedTexts({ yielded, accepted, restart, rank }: InventoryRow): string[] {
  const packed = [yielded, accepted].map((set) => (set === undefined ? '' : Buffer.from(set).toString('base64')));
  const mark = restart === undefined ? ['', '', ''] : [restart.sources, restart.template, restart.values];
  const texts = [...packed, ...mark, rank === undefined ? '' : rankText(rank)];
  return texts.slice(0, texts.findLastIndex((text) => text !== '') + 1);
}

function markOf(sources = '', template = '', values = ''): RestartMark | undefined {
  if (sources === '') return undefined;
  return { sources: sources as SourceDigest, template: template as SourceDigest, values };
}

function packedOf(text: string | undefined): Uint8Array | undefined {
  return text === undefined || text === '' ? undefined : Uint8Array.from(Buffer.from(text, 'base64'));
}

function toRow(tuple: RowTuple): InventoryRow {
  const [key, apiVersion, sync, file, line, digest, uid, resourceVersion, generation, setDigest, ownTime, flags] =
    tuple;
  const [yielded, accepted, sources, template, values, rank] = tuple.slice(FIXED_CELLS).map(String);
  return {
    key: key as ObjectKey,
    apiVersion,
    sync,
    file,
    line,
    digest: digest as SourceDigest,
    uid,
    resourceVersion,
    generation,
    setDigest,
    ownTime,
    keep: (flags & KEEP) !== 0,
    done: (flags & DONE) !== 0,
    failed: (flags & FAILED) !== 0,
    encrypted: (flags & ENCRYPTED) !== 0,
    yielded: packedOf(yielded),
    accepted: packedOf(accepted),
    restart: markOf(sources, template, values),
    rank: rankIn(rank),
    left: (flags & LEFT) !== 0 ? true : undefined,
  };
}

/** `ConfigMap,Deployment.apps,Secret`: the ApplySet hint, sorted and minimal (spec/applyset.md 5.1). */
export function groupKinds(inventory: Inventory): string {
  const kinds = [...inventory.rows.keys()].map((key) => {
    const { group, kind } = objectIdOf(key);
    return group === '' ? kind : `${kind}.${group}`;
  });
  return [...new Set(kinds)].toSorted().join(',');
}
