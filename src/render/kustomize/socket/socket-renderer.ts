import { setTimeout as sleep } from 'node:timers/promises';
import { asSottoError, type SottoError } from '../../../core/errors.ts';
import { LIMITS } from '../../../core/limits.ts';
import { renderedOf } from '../child-renderer.ts';
import { endedError } from '../failure.ts';
import { RENDER_LIMITS } from '../local-renderer.ts';
import {
  lostRenderer,
  notReached,
  notTheRenderer,
  notUnderstood,
  otherVersion,
  refusedByRenderer,
} from '../renderer-failure.ts';
import type { Rendered, Renderer, RendererDescription } from '../renderer.ts';
import type { RunLimits } from '../run.ts';
import { refuseTooMuch } from '../write-tree.ts';
import type { RendererPlace } from './address.ts';
import { type Answer, exchange, type Exchanged, type ExchangeOptions, type Trouble } from './exchange.ts';
import { BrokenFrame } from './frame.ts';
import { type BuildAnswer, type BuildRequest, readAnswer, readDescription, requestHeader } from './message.ts';

export interface SocketRendererOptions {
  readonly place: RendererPlace;
  readonly signal?: AbortSignal | undefined;
  /** With each answer. */
  readonly onDescribed?: ((description: RendererDescription) => void) | undefined;
  /** What the renderer allows a build, for what people are told. */
  readonly limits?: RunLimits;
  readonly patience?: Partial<Patience>;
}

export interface Patience {
  /** A container that is started anew is waited for as long. */
  readonly reachMs: number;
  readonly connectMs: number;
  readonly answerMs: number;
  readonly firstWaitMs: number;
  readonly maxWaitMs: number;
}

const PATIENCE: Patience = {
  reachMs: 30_000,
  connectMs: 5_000,
  // Its own run, and one that was before it in the line.
  answerMs: 2 * LIMITS.maxRenderMs + 30_000,
  firstWaitMs: 100,
  maxWaitMs: 2_000,
};

/** A build that breaks the connection is tried once more: the second time it is the build that does it. */
const MAX_CUTS = 2;

export interface SocketRenderer extends Renderer {
  /** Asks once; undefined when there is no answer that can be used. */
  describe(): Promise<RendererDescription | undefined>;
}

/**
 * Asks a renderer elsewhere. What it answers is taken for hostile: it may say which bytes came out of a build and how a
 * build ended, and no text of it gets to people.
 */
export function socketRenderer(renderer: SocketRendererOptions): SocketRenderer {
  const { place, signal, onDescribed, limits = RENDER_LIMITS, patience } = renderer;
  const waits = { ...PATIENCE, ...patience };
  const options: ExchangeOptions = { connectTimeoutMs: waits.connectMs, answerTimeoutMs: waits.answerMs, signal };
  let last: Promise<unknown> = Promise.resolve();
  const buildNow = async (request: BuildRequest): Promise<Rendered> => {
    const { files, root } = request;
    try {
      refuseTooMuch(files);
      const answer = await askPatiently(place, request, options, waits);
      if (!answer.ok) return { ok: false, error: errorOf(answer.trouble, { place, root, waits, limits }) };
      onDescribed?.(answer.value.about);
      return renderedOf(answer.value.outcome, { files, root, ...limits });
    } catch (thrown) {
      return { ok: false, error: asSottoError(thrown) };
    }
  };
  return {
    // The renderer does one thing at a time, so what waits does so here and not there.
    build(files, root) {
      const turn = last.then(() => buildNow({ files, root }));
      last = turn.catch(() => undefined);
      return turn;
    },
    async describe() {
      const answered = await exchange(place, { kind: 'describe', header: {}, body: [] }, options);
      const description = answered.ok ? understood(() => readDescription(answered.value.header)) : undefined;
      if (description !== undefined) onDescribed?.(description);
      return description;
    },
  };
}

async function askPatiently(
  place: RendererPlace,
  request: BuildRequest,
  options: ExchangeOptions,
  waits: Patience,
): Promise<Exchanged<BuildAnswer>> {
  const question = {
    kind: 'build' as const,
    header: requestHeader(request),
    body: request.files.map(({ bytes }) => bytes),
  };
  const fromMs = performance.now();
  let cuts = 0;
  for (let waitMs = waits.firstWaitMs; ; waitMs = Math.min(waitMs * 2, waits.maxWaitMs)) {
    const answered = readBuilt(await exchange(place, question, options), request);
    if (answered.ok) return answered;
    const { trouble } = answered;
    if (trouble.kind === 'cut') cuts += 1;
    const isOver = cuts === MAX_CUTS || performance.now() - fromMs + waitMs > waits.reachMs;
    if (isOver && trouble.kind === 'cut' && cuts < MAX_CUTS) return notAgain();
    if (isOver || !MAY_PASS.has(trouble.kind)) return answered;
    if (trouble.kind === 'refused' && trouble.why !== 'busy') return answered;
    await sleep(waitMs, undefined, { signal: options.signal }).catch(() => undefined);
  }
}

/** It broke once, and there is no time left to see whether the build is the reason. */
function notAgain(): Exchanged<BuildAnswer> {
  return { ok: false, trouble: { kind: 'unreachable', reason: 'the connection broke' } };
}

const MAY_PASS: ReadonlySet<Trouble['kind']> = new Set<Trouble['kind']>(['unreachable', 'cut', 'refused']);

function readBuilt(answered: Exchanged<Answer>, request: BuildRequest): Exchanged<BuildAnswer> {
  if (!answered.ok) return answered;
  const { header, body } = answered.value;
  const value = understood(() => readAnswer(header, body, request));
  return value === undefined ? { ok: false, trouble: { kind: 'broken', trouble: 'garbled' } } : { ok: true, value };
}

function understood<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof BrokenFrame) return undefined;
    throw thrown;
  }
}

interface Asked {
  readonly place: RendererPlace;
  readonly root: string;
  readonly waits: Patience;
  readonly limits: RunLimits;
}

function errorOf(trouble: Trouble, { place, root, waits, limits }: Asked): SottoError {
  const where = place.kind === 'unix' ? place.path : `${place.host ?? ''}:${place.port}`;
  switch (trouble.kind) {
    case 'unreachable':
      return notReached(where, waits.reachMs, trouble.reason);
    case 'late':
      return notReached(where, waits.answerMs, 'the connection stands, and nothing comes');
    case 'stranger':
      return notTheRenderer(where);
    case 'cut':
      return lostRenderer(root);
    case 'refused':
      return refusedByRenderer(REFUSALS[trouble.why]);
    case 'stopped':
      return endedError({ kind: 'ended', why: 'stopped' }, limits, root);
    case 'broken':
    default:
      return trouble.trouble === 'version' ? otherVersion() : notUnderstood();
  }
}

const REFUSALS = {
  busy: 'it builds for somebody else',
  garbled: 'it did not understand the request',
  version: 'it is of another version',
  'too-large': 'the tree is larger than it takes',
} as const;
