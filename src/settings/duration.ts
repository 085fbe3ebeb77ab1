const NS_PER_UNIT: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  '\u00b5s': 1_000n,
  '\u03bcs': 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
};
const MS_PER_UNIT = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const;

const TERM = /(\d{1,19}\.?\d{0,30}|\.\d{1,30})(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d)/y;
/** Go's own range: 2^63 nanoseconds, about 292 years. */
const MAX_NS = 2n ** 63n;

/**
 * Milliseconds of a duration as Go writes it (`1h30m`, `0.5s`, `-2m`, `0`), with `d` for 24 hours added.
 * Finer than a millisecond is kept as a fraction. Undefined for anything else, beyond Go's range included.
 */
export function parseDurationMs(text: string): number | undefined {
  const unsigned = text.replace(/^[+-]/, '');
  if (unsigned === '0') return 0;
  if (unsigned === '') return undefined;
  let ns = 0n;
  let at = 0;
  while (at < unsigned.length) {
    TERM.lastIndex = at;
    const [term, amount = '', unit = ''] = TERM.exec(unsigned) ?? [];
    if (term === undefined) return undefined;
    ns += nsOf(amount, NS_PER_UNIT[unit] ?? 0n);
    if (ns >= MAX_NS) return undefined;
    at += term.length;
  }
  const ms = Number(ns / 1_000_000n) + Number(ns % 1_000_000n) / 1e6;
  return text.startsWith('-') && ms !== 0 ? -ms : ms;
}

/** In whole numbers: doubles would lose the last digits of long durations. */
function nsOf(amount: string, nsPerUnit: bigint): bigint {
  const [whole = '', fraction = ''] = amount.split('.');
  return BigInt(`0${whole}`) * nsPerUnit + (BigInt(`0${fraction}`) * nsPerUnit) / 10n ** BigInt(fraction.length);
}

/** The shortest form that reads back as the same duration: 5400000 is `1h30m`, 1500 is `1s500ms`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  if (ms < 0) return `-${formatDuration(-ms)}`;
  let rest = ms;
  let text = '';
  for (const [unit, unitMs] of MS_PER_UNIT) {
    const count = Math.floor(rest / unitMs);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * unitMs;
  }
  // Nanoseconds are the finest there is; the subtraction above may leave less than that as noise.
  const restMs = Math.round(rest * 1e6) / 1e6;
  return restMs === 0 && text !== '' ? text : `${text}${restMs}ms`;
}
