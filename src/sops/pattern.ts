import { parsePattern, type Pattern, PatternError, type Ranges } from './pattern-parser.ts';

export { PatternError } from './pattern-parser.ts';

/** True when the text has a match anywhere, as Go's `regexp.MatchString`. */
export type Matcher = (text: string) => boolean;

/** A list of names of keys is far shorter. */
const MAX_CHARACTERS = 16 * 1024;
/** Instructions of the machine; a pattern that needs more (by repeat counts) is refused. */
const MAX_STEPS = 10_000;
/** Steps that one compiled pattern may take in its life: a hostile pattern on hostile keys ends in about a second. */
const MAX_WORK = 10_000_000;

/** Of what is left for several patterns together, taken away by each step that one is compiled to: these stay in memory. */
const WORK_OF_COMPILED_STEP = 50;

/** Steps that several patterns may take together, in all their matches; counted down. */
export interface SharedWork {
  left: number;
}

type Step =
  | { readonly op: 'chars'; readonly fits: (code: number) => boolean }
  | { readonly op: 'assert'; readonly kind: 'start' | 'end' | 'boundary' | 'notBoundary' }
  | { op: 'split'; targets: readonly number[] }
  | { readonly op: 'match' };

/**
 * Compiles RE2 syntax (without multi-line mode and Unicode classes). Matching takes time linear in the text; both
 * throw PatternError, matching only when the work of all matches together exceeds a cap.
 */
export function compilePattern(source: string, shared?: SharedWork): Matcher {
  if (source.length > MAX_CHARACTERS) throw new PatternError('it is too large');
  const steps: Step[] = [];
  emit(parsePattern(source), steps);
  steps.push({ op: 'match' });
  const own = { left: MAX_WORK };
  if (shared === undefined) return (text) => run(steps, text, [own]);
  spend([shared], steps.length * WORK_OF_COMPILED_STEP);
  return (text) => run(steps, text, [own, shared]);
}

function spend(budgets: readonly SharedWork[], work: number): void {
  for (const budget of budgets) {
    budget.left -= work;
    if (budget.left < 0) throw new PatternError('matching it takes too long');
  }
}

function emit(pattern: Pattern, steps: Step[]): void {
  if (steps.length > MAX_STEPS) throw new PatternError('it is too large');
  switch (pattern.op) {
    case 'chars':
      steps.push({ op: 'chars', fits: fitting(pattern) });
      return;
    case 'all':
      for (const part of pattern.parts) emit(part, steps);
      // A step also for nothing, so that repeats of nothing reach the cap.
      if (pattern.parts.length === 0) steps.push({ op: 'split', targets: [steps.length + 1] });
      return;
    case 'any':
      emitChoices(pattern.choices, steps);
      return;
    case 'repeat':
      emitRepeat(pattern, steps);
      return;
    case 'start':
    case 'end':
    case 'boundary':
    case 'notBoundary':
      steps.push({ op: 'assert', kind: pattern.op });
      return;
  }
}

function emitChoices(choices: readonly Pattern[], steps: Step[]): void {
  const entry: Step = { op: 'split', targets: [] };
  const exits: Extract<Step, { op: 'split' }>[] = [];
  const starts: number[] = [];
  steps.push(entry);
  for (const choice of choices) {
    starts.push(steps.length);
    emit(choice, steps);
    const exit: Extract<Step, { op: 'split' }> = { op: 'split', targets: [] };
    exits.push(exit);
    steps.push(exit);
  }
  entry.targets = starts;
  for (const exit of exits) exit.targets = [steps.length];
}

function emitRepeat(repeat: Extract<Pattern, { op: 'repeat' }>, steps: Step[]): void {
  for (let count = 0; count < repeat.min; count += 1) emitAgain(repeat.part, steps, count);
  if (repeat.max === Infinity) {
    const start = steps.length;
    const loop: Extract<Step, { op: 'split' }> = { op: 'split', targets: [] };
    steps.push(loop);
    emit(repeat.part, steps);
    steps.push({ op: 'split', targets: [start] });
    loop.targets = [start + 1, steps.length];
    return;
  }
  const skips: Extract<Step, { op: 'split' }>[] = [];
  for (let count = repeat.min; count < repeat.max; count += 1) {
    const skip: Extract<Step, { op: 'split' }> = { op: 'split', targets: [steps.length + 1] };
    skips.push(skip);
    steps.push(skip);
    emit(repeat.part, steps);
  }
  for (const skip of skips) skip.targets = [...skip.targets, steps.length];
}

/** A step for characters leads nowhere else, so one stands for each time that it is repeated. */
function emitAgain(part: Pattern, steps: Step[], count: number): void {
  const before = steps.at(-1);
  if (count === 0 || part.op !== 'chars' || before === undefined) return emit(part, steps);
  if (steps.length > MAX_STEPS) throw new PatternError('it is too large');
  steps.push(before);
}

/** All places of the machine at once, for each character: nothing is tried twice. */
function run(steps: readonly Step[], text: string, budgets: readonly SharedWork[]): boolean {
  const codes = Array.from(text, (char) => char.codePointAt(0) ?? 0);
  let places = new Set<number>();
  for (let at = 0; at <= codes.length; at += 1) {
    // The match may begin at every character.
    places.add(0);
    const reached = follow(steps, places, codes, at);
    if (reached === 'match') return true;
    spend(budgets, reached.size);
    const next = new Set<number>();
    const code = codes[at];
    for (const place of reached) {
      const step = steps[place];
      if (step?.op === 'chars' && code !== undefined && step.fits(code)) next.add(place + 1);
    }
    places = next;
  }
  return false;
}

function follow(
  steps: readonly Step[],
  from: ReadonlySet<number>,
  codes: readonly number[],
  at: number,
): Set<number> | 'match' {
  const reached = new Set<number>();
  const open = [...from];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    if (reached.has(place)) continue;
    reached.add(place);
    const step = steps[place];
    if (step?.op === 'match') return 'match';
    if (step?.op === 'split') open.push(...step.targets);
    if (step?.op === 'assert' && holds(step.kind, codes, at)) open.push(place + 1);
  }
  return reached;
}

function holds(kind: 'start' | 'end' | 'boundary' | 'notBoundary', codes: readonly number[], at: number): boolean {
  if (kind === 'start') return at === 0;
  if (kind === 'end') return at === codes.length;
  return (isWord(codes[at - 1]) !== isWord(codes[at])) === (kind === 'boundary');
}

function isWord(code: number | undefined): boolean {
  return code !== undefined && /\w/.test(String.fromCodePoint(code));
}

function fitting({ ranges, negated, fold }: Extract<Pattern, { op: 'chars' }>): (code: number) => boolean {
  const isInside = fold ? foldedInside(ranges) : (code: number) => within(ranges, code);
  return (code) => isInside(code) !== negated;
}

function within(ranges: Ranges, code: number): boolean {
  return ranges.some(([low, high]) => code >= low && code <= high);
}

/**
 * Letters whose case is told since Unicode 15.1 only: of these, sops built with one release of Go matches others than
 * sops built with the next.
 */
const NEW_CASES: Ranges = [
  ...[0x19b, 0x264, 0x390, 0x3b0, 0x1fd3, 0x1fe3].map((code): [number, number] => [code, code]),
  [0x1c89, 0x1c8a],
  [0xa7cb, 0xa7cf],
  [0xa7d2, 0xa7d5],
  [0xa7da, 0xa7dc],
  [0xfb05, 0xfb06],
  [0x10d50, 0x10d65],
  [0x10d70, 0x10d85],
  [0x16ea0, 0x16eb8],
  [0x16ebb, 0x16ed3],
];

/** `RegExp` with u and i folds single characters as Unicode's simple case folding says, and Go by the same table. */
function foldedInside(ranges: Ranges): (code: number) => boolean {
  if (ranges.length === 0) return () => false;
  const characters = ranges.map(([low, high]) => `\\u{${low.toString(16)}}-\\u{${high.toString(16)}}`);
  const folded = new RegExp(`^[${characters.join('')}]$`, 'iu');
  return (code) => {
    if (within(NEW_CASES, code))
      throw new PatternError('it does not mind the case of a letter that not every sops knows');
    return folded.test(String.fromCodePoint(code));
  };
}
