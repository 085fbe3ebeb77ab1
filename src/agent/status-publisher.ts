import type { Clock } from '../core/clock.ts';
import { stringifyJson } from '../core/json.ts';
import { type FingerprintKey, keyedDigest } from '../keys/fingerprint.ts';
import { applyObject } from '../kube/objects.ts';
import { CONFIG_MAPS } from '../kube/resource.ts';
import type { Transport } from '../kube/transport.ts';
import type { Logger } from '../report/log.ts';
import {
  signStatus,
  STATUS_CONFIGMAP,
  STATUS_KEY,
  STATUS_SIGNATURE_ANNOTATION,
  type StatusDocument,
} from '../report/status.ts';
import {
  initialStatusWriter,
  statusChanged,
  statusDueAtMs,
  statusWriteFailed,
  type StatusWriterState,
  statusWritten,
  transitionDigest,
} from '../report/status-writer.ts';

export interface StatusPublisherOptions {
  readonly transport: Transport;
  readonly namespace: string;
  /** In force now. */
  key(): FingerprintKey;
  readonly clock: Clock;
  readonly log: Logger;
  /** The document as it is now. */
  build(): StatusDocument;
  /** Monotonic: when it becomes another one by the passing of time alone; undefined when it does not. */
  lookAgainAtMs(): number | undefined;
}

/** Bursts of changes are looked at once. */
const LOOK_MS = 25;

/** Timers hold at most 2^31 ms; a longer one fires at once. */
const MAX_TIMER_MS = 24 * 3_600_000;

/** ConfigMap `sotto-status`: written on transitions only, as the rules of `report/status-writer.ts` say. */
export class StatusPublisher {
  readonly #options: StatusPublisherOptions;
  #state: StatusWriterState = initialStatusWriter;
  #timer: NodeJS.Timeout | undefined;
  #later: NodeJS.Timeout | undefined;
  #closed = false;
  #writing = false;
  #urgent = false;
  /** Who waits until what they told stands in the stored document. */
  #waiting: (() => void)[] = [];

  constructor(options: StatusPublisherOptions) {
    this.#options = options;
  }

  /** Something may have changed; cheap, so that everybody may say so. */
  changed(): void {
    if (!this.#closed) this.#timer ??= setTimeout(() => this.#look(), LOOK_MS);
  }

  /** Somebody waits for what the document says now: it is written at once. Resolves when it is, or at the end. */
  async answered(): Promise<void> {
    if (this.#closed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    this.#urgent = true;
    clearTimeout(this.#timer);
    this.#look();
    await promise;
  }

  #settle(waiting: readonly (() => void)[]): void {
    this.#waiting = this.#waiting.filter((each) => !waiting.includes(each));
    for (const resolve of waiting) resolve();
  }

  /** Nothing is written any more. */
  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#later);
    this.#closed = true;
    this.#settle(this.#waiting);
  }

  /** Writes what is due now, whatever the pace says: at the end of a run. */
  async flush(): Promise<void> {
    this.close();
    const document = this.#options.build();
    const digest = transitionDigest(document);
    if (digest !== this.#state.writtenDigest) await this.#write(document, digest, []);
  }

  #look(): void {
    this.#timer = undefined;
    const document = this.#options.build();
    const digest = transitionDigest(document);
    const nowMs = this.#options.clock.elapsedMs();
    this.#lookLater(nowMs);
    this.#state = statusChanged(this.#state, { digest, urgent: this.#urgent, nowMs });
    if (digest === this.#state.writtenDigest && !this.#writing) this.#settle(this.#waiting);
    const dueAtMs = statusDueAtMs(this.#state);
    if (dueAtMs === undefined || this.#writing || this.#closed) return;
    if (dueAtMs > nowMs) {
      this.#timer = setTimeout(() => this.#look(), Math.min(dueAtMs - nowMs, 60_000));
      return;
    }
    this.#urgent = false;
    this.#write(document, digest, this.#waiting)
      .catch((thrown: unknown) => this.#failed(thrown))
      .finally(() => this.changed());
  }

  #lookLater(nowMs: number): void {
    clearTimeout(this.#later);
    const againAtMs = this.#options.lookAgainAtMs();
    if (againAtMs === undefined || this.#closed) return;
    this.#later = setTimeout(() => this.changed(), Math.min(Math.max(againAtMs - nowMs, LOOK_MS), MAX_TIMER_MS));
  }

  #failed(thrown: unknown): void {
    const { clock, log } = this.#options;
    this.#writing = false;
    this.#state = statusWriteFailed(this.#state, clock.elapsedMs());
    log.warn('the status could not be written', { error: thrown });
  }

  async #write(document: StatusDocument, digest: string, waiting: readonly (() => void)[]): Promise<void> {
    const { transport, namespace, clock, log } = this.#options;
    const key = this.#options.key();
    this.#writing = true;
    const { text, signature } = signStatus(document, (bytes) => keyedDigest(key, 'status', bytes).toString('base64'));
    const body = Buffer.from(
      stringifyJson({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: {
          name: STATUS_CONFIGMAP,
          namespace,
          labels: { 'app.kubernetes.io/managed-by': 'sotto' },
          annotations: { [STATUS_SIGNATURE_ANNOTATION]: signature },
        },
        data: { [STATUS_KEY]: text },
      }),
    );
    const answer = await applyObject(transport, {
      resource: CONFIG_MAPS,
      namespace,
      name: STATUS_CONFIGMAP,
      body,
      force: true,
    });
    this.#writing = false;
    const nowMs = clock.elapsedMs();
    if (answer.ok) {
      this.#state = statusWritten(this.#state, { digest, nowMs });
      this.#settle(waiting);
    } else {
      this.#state = statusWriteFailed(this.#state, nowMs);
      log.warn('the status could not be written', { reason: answer.failure.kind });
    }
  }
}
