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
  readonly key: FingerprintKey;
  readonly clock: Clock;
  readonly log: Logger;
  /** The document as it is now. */
  build(): StatusDocument;
}

/** Bursts of changes are looked at once. */
const LOOK_MS = 25;

/** ConfigMap `sotto-status`: written on transitions only, as the rules of `report/status-writer.ts` say. */
export class StatusPublisher {
  readonly #options: StatusPublisherOptions;
  #state: StatusWriterState = initialStatusWriter;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #writing = false;

  constructor(options: StatusPublisherOptions) {
    this.#options = options;
  }

  /** Something may have changed; cheap, so that everybody may say so. */
  changed(): void {
    if (!this.#closed) this.#timer ??= setTimeout(() => this.#look(), LOOK_MS);
  }

  /** Nothing is written any more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#closed = true;
  }

  /** Writes what is due now, whatever the pace says: at the end of a run. */
  async flush(): Promise<void> {
    this.close();
    const document = this.#options.build();
    const digest = transitionDigest(document);
    if (digest !== this.#state.writtenDigest) await this.#write(document, digest);
  }

  #look(): void {
    this.#timer = undefined;
    const document = this.#options.build();
    const digest = transitionDigest(document);
    const nowMs = this.#options.clock.elapsedMs();
    this.#state = statusChanged(this.#state, { digest, urgent: false, nowMs });
    const dueAtMs = statusDueAtMs(this.#state);
    if (dueAtMs === undefined || this.#writing || this.#closed) return;
    if (dueAtMs > nowMs) {
      this.#timer = setTimeout(() => this.#look(), Math.min(dueAtMs - nowMs, 60_000));
      return;
    }
    this.#write(document, digest)
      .catch((thrown: unknown) => this.#failed(thrown))
      .finally(() => this.changed());
  }

  #failed(thrown: unknown): void {
    const { clock, log } = this.#options;
    this.#writing = false;
    this.#state = statusWriteFailed(this.#state, clock.elapsedMs());
    log.warn('the status could not be written', { error: thrown });
  }

  async #write(document: StatusDocument, digest: string): Promise<void> {
    const { transport, namespace, key, clock, log } = this.#options;
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
    if (answer.ok) this.#state = statusWritten(this.#state, { digest, nowMs });
    else {
      this.#state = statusWriteFailed(this.#state, nowMs);
      log.warn('the status could not be written', { reason: answer.failure.kind });
    }
  }
}
