import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * V8's collector as a function, without a start flag. WebCrypto keeps imported data keys until a collection, and idle
 * time alone collects nothing: one call after each pass that opened something (spec/memory.md, R7).
 */
export function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  return typeof collect === 'function' ? () => void collect() : () => undefined;
}
