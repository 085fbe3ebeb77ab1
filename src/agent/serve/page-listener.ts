import { setTimeout as sleep } from 'node:timers/promises';
import { SottoError } from '../../core/errors.ts';
import type { Logger } from '../../report/log.ts';
import type { ListenAddress } from '../../settings/listen-address.ts';
import { CannotListen, type Listener, startListener } from './listener.ts';
import { answerPage, type PageView } from './page.ts';

/** An address that another program has may become free: the agent that is replaced, for one. */
const RETRY_MS = 30_000;

/**
 * The listener of `page.listen`, which follows the settings while the agent runs. An address that cannot be had is
 * reported and does not stop the agent: nobody's objects depend on it.
 */
export class PageListener {
  readonly #view: PageView;
  readonly #log: Logger;
  #wanted: string | undefined;
  #listener: Listener | undefined;
  #attempts = new AbortController();
  #changing: Promise<void> = Promise.resolve();

  constructor(view: PageView, log: Logger) {
    this.#view = view;
    this.#log = log;
  }

  /** Undefined: off. */
  follow(address: ListenAddress | undefined): void {
    const wanted = address === undefined ? undefined : `${address.host ?? ''}:${address.port}`;
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.#attempts.abort();
    this.#attempts = new AbortController();
    const { signal } = this.#attempts;
    this.#changing = this.#changing.then(() => this.#change(address, signal));
  }

  async close(): Promise<void> {
    this.follow(undefined);
    await this.#changing;
  }

  async #change(address: ListenAddress | undefined, signal: AbortSignal): Promise<void> {
    await this.#listener?.close();
    this.#listener = undefined;
    if (address === undefined) return;
    while (!signal.aborted) {
      try {
        this.#listener = await startListener(address, {
          answer: (asked) => answerPage(asked, this.#view, address.host),
          onDefect: (error) => this.#log.error('defect in the page', { error }),
        });
        this.#log.info('page listening', { host: this.#listener.host, port: this.#listener.port });
        return;
      } catch (thrown) {
        if (!(thrown instanceof CannotListen)) throw thrown;
        const error = refused(thrown);
        this.#log.warn('the page is not served', { code: error.code, error, retryInMs: RETRY_MS });
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}

function refused({ address, why }: CannotListen): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-080',
    what: `cannot serve the page on ${address}`,
    why,
    next: 'choose another address in page.listen of the settings, or "" for off',
    key: 'page.listen',
  });
}
