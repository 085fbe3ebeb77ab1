import { arrayAt, memberAt, numberAt, stringAt } from '../../../core/json.ts';
import { LIMITS } from '../../../core/limits.ts';
import type { BuildOutcome } from '../child-renderer.ts';
import type { RendererDescription } from '../renderer.ts';
import type { BuildFile } from '../tree.ts';
import { isCleanPath, knownReason } from '../write-tree.ts';
import { BrokenFrame, type FrameCaps } from './frame.ts';

/** What stands in the frames. Reading takes known members of known form and nothing else; it throws BrokenFrame. */

export const REQUEST_CAPS: FrameCaps = { maxHeaderBytes: 8 * 1024 * 1024, maxBodyBytes: LIMITS.maxSnapshotBytes };
export const ANSWER_CAPS: FrameCaps = { maxHeaderBytes: 16 * 1024, maxBodyBytes: LIMITS.maxRenderedBytes };

const MAX_PATH_BYTES = 4_096;
/** As many as a run keeps (run.ts). */
const MAX_COMPLAINT_BYTES = 64 * 1024;

export interface BuildRequest {
  readonly files: readonly BuildFile[];
  readonly root: string;
}

export function requestHeader({ files, root }: BuildRequest): unknown {
  return { root, files: files.map(({ path, bytes }) => ({ path, bytes: bytes.length })) };
}

/** Files are views of the body, in the order of the header. */
export function readRequest(header: unknown, body: Buffer): BuildRequest {
  const root = stringAt(header, 'root');
  const entries = arrayAt(header, 'files');
  if (root === undefined || !(root === '' || isGoodPath(root))) throw new BrokenFrame('garbled');
  if (entries.length > LIMITS.maxSnapshotFiles) throw new BrokenFrame('too-large');
  let end = 0;
  const files = entries.map((entry) => {
    const [path, bytes] = [stringAt(entry, 'path'), numberAt(entry, 'bytes')];
    if (path === undefined || !isGoodPath(path) || bytes === undefined || !isLength(bytes)) {
      throw new BrokenFrame('garbled');
    }
    const start = end;
    end += bytes;
    return { path, bytes: body.subarray(start, end) };
  });
  // kustomize would take the name of a folder that is not there for an address.
  const isThere = root === '' || files.some(({ path }) => path.startsWith(`${root}/`));
  if (end !== body.length || !isThere) throw new BrokenFrame('garbled');
  return { files, root };
}

function isGoodPath(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_PATH_BYTES && isCleanPath(path);
}

function isLength(bytes: number): boolean {
  return Number.isSafeInteger(bytes) && bytes >= 0 && bytes <= LIMITS.maxSnapshotBytes;
}

export interface BuildAnswer {
  readonly about: RendererDescription;
  readonly outcome: BuildOutcome;
}

export function answerParts({ about, outcome }: BuildAnswer): { readonly header: unknown; readonly body: Uint8Array } {
  if (outcome.kind === 'done') return { header: { about, outcome: { kind: 'done' } }, body: outcome.output };
  if (outcome.kind !== 'failed') return { header: { about, outcome }, body: new Uint8Array() };
  const { kind, complaint, folder } = outcome;
  return {
    header: { about, outcome: { kind, folder } },
    body: Buffer.from(complaint, 'utf8').subarray(0, MAX_COMPLAINT_BYTES),
  };
}

const ENDINGS = ['timeout', 'output', 'memory', 'stopped'] as const;

/** `asked`: only its files can be named in what people are told. */
export function readAnswer(header: unknown, body: Buffer, asked: BuildRequest): BuildAnswer {
  return {
    about: readDescription(memberAt(header, 'about')),
    outcome: readOutcome(memberAt(header, 'outcome'), body, asked),
  };
}

function readOutcome(value: unknown, body: Buffer, { files }: BuildRequest): BuildOutcome {
  const kind = stringAt(value, 'kind');
  if (kind === 'done') return { kind, output: body };
  if (kind === 'failed') {
    if (body.length > MAX_COMPLAINT_BYTES) throw new BrokenFrame('too-large');
    return { kind, complaint: body.toString('utf8'), folder: stringAt(value, 'folder') ?? '' };
  }
  if (body.length > 0) throw new BrokenFrame('garbled');
  if (kind === 'absent') return { kind };
  if (kind === 'ended') {
    const why = ENDINGS.find((ending) => ending === stringAt(value, 'why'));
    if (why !== undefined) return { kind, why };
  }
  if (kind === 'unwritten') {
    const file = stringAt(value, 'file');
    const isOurs = files.some(({ path }) => path === file);
    return { kind, why: knownReason(stringAt(value, 'why') ?? ''), file: isOurs ? file : undefined };
  }
  throw new BrokenFrame('garbled');
}

/** What a renderer says of itself is shown to people: a version is digits and dots, everything else one of two words. */
export function readDescription(value: unknown): RendererDescription {
  const [kustomize, network, resources] = ['kustomize', 'network', 'resources'].map((key) => stringAt(value, key));
  if (kustomize !== undefined && !/^\d{1,4}(?:\.\d{1,4}){2}$/.test(kustomize)) throw new BrokenFrame('garbled');
  if (network !== 'none' && network !== 'shared') throw new BrokenFrame('garbled');
  if (resources !== 'capped' && resources !== 'free') throw new BrokenFrame('garbled');
  return { kustomize, network, resources };
}

/** Why a renderer did not begin. */
const REFUSALS = ['busy', 'garbled', 'version', 'too-large'] as const;
export type Refusal = (typeof REFUSALS)[number];

export function readRefusal(header: unknown): Refusal {
  const why = REFUSALS.find((refusal) => refusal === stringAt(header, 'why'));
  if (why === undefined) throw new BrokenFrame('garbled');
  return why;
}
