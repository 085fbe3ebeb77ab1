import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { overwriteLastOpened } from '../sops/cipher.ts';

/**
 * V8's collector as a function, without a start flag. WebCrypto keeps imported data keys until a collection, and idle
 * time alone collects nothing: one call after each pass that opened something (spec/memory.md, R7).
 */
function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  return typeof collect === 'function' ? () => void collect() : () => undefined;
}

/** After the last file was closed: key material is collected, and what values left in threads is overwritten. */
export function tidier(): () => Promise<void> {
  const collect = garbageCollector();
  return () => {
    collect();
    return overwriteLastOpened();
  };
}
