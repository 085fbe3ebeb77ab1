/** Loaded before a program: a wait of so many milliseconds takes a hundredth of its time, all others what they say. */
const LONG_MS = Number(process.env['SOTTO_TEST_SHORT_WAIT_MS'] ?? '0');
const realSetTimeout = globalThis.setTimeout;

const shortened = (...given: Parameters<typeof setTimeout>): NodeJS.Timeout => {
  const [action, ms, ...more] = given;
  return realSetTimeout(action, ms === LONG_MS ? LONG_MS / 100 : ms, ...more);
};

Object.defineProperty(globalThis, 'setTimeout', { value: shortened, configurable: true, writable: true });
