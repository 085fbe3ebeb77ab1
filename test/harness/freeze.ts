import type { FaultProxy, ProxiedRequest } from './fault-proxy.ts';

export interface FreezePoint {
  readonly method: string;
  readonly path: RegExp;
  /** Which one of those. Default the first. */
  readonly nth?: number;
  /** The API server has done it by then. */
  readonly isCarriedOut: boolean;
}

/**
 * From that request on nobody behind the proxy gets an answer: whoever is there stands still, however slow the machine
 * is, until it is killed. Resolves as soon as the request is made.
 */
export function freezeAt(proxy: FaultProxy, { method, path, nth = 1, isCarriedOut }: FreezePoint): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let met = 0;
  proxy.setFault((asked: ProxiedRequest) => {
    if (met === nth) return { kind: 'hang' };
    if (asked.method === method && path.test(asked.path)) met += 1;
    if (met < nth) return undefined;
    resolve();
    return isCarriedOut ? { kind: 'stray', after: Promise.resolve() } : { kind: 'hang' };
  });
  return promise;
}
