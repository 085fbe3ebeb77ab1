/** Loaded before a program: its wall clock is off by so much, as on a node without time synchronisation. */
const shiftMs = Number(process.env['SOTTO_TEST_CLOCK_SHIFT_MS'] ?? '0');
const RealDate = Date;

class ShiftedDate extends RealDate {
  constructor(...given: readonly [] | readonly [value: number | string | Date]) {
    if (given.length === 0) super(RealDate.now() + shiftMs);
    else super(given[0]);
  }

  static override now(): number {
    return RealDate.now() + shiftMs;
  }
}

Object.defineProperty(globalThis, 'Date', { value: ShiftedDate, configurable: true, writable: true });
