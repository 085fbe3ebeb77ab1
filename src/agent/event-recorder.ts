import type { Clock } from '../core/clock.ts';
import { createObject, mergePatch } from '../kube/objects.ts';
import { resourceOf } from '../kube/resource.ts';
import type { Transport } from '../kube/transport.ts';
import { emptyEventBook, patchOfExisting, recordEvent } from '../report/event-series.ts';
import type { EventFacts, EventObject, EventReporter } from '../report/events.ts';
import type { Logger } from '../report/log.ts';

const EVENTS = resourceOf({
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
  verbs: ['create', 'patch'],
});

/** Events on the objects themselves. An Event that cannot be written is logged and forgotten: it never stops work. */
export class EventRecorder {
  readonly #transport: Transport;
  readonly #reporter: EventReporter;
  readonly #clock: Clock;
  readonly #log: Logger;
  #book = emptyEventBook;

  constructor(transport: Transport, reporter: EventReporter, clock: Clock, log: Logger) {
    this.#transport = transport;
    this.#reporter = reporter;
    this.#clock = clock;
    this.#log = log;
  }

  async record(facts: EventFacts): Promise<void> {
    const at = this.#clock.now();
    const { book, write } = recordEvent(this.#book, facts, this.#reporter, at);
    this.#book = book;
    if (write.action === 'none') return;
    const target = targetOf(write.event);
    if (write.action === 'patch') {
      const patch = { series: { ...write.patch.series } };
      const answer = await mergePatch(this.#transport, { ...target, patch });
      if (answer.ok || answer.failure.kind !== 'not-found') return;
    }
    const body = Buffer.from(JSON.stringify(write.event), 'utf8');
    const created = await createObject(this.#transport, { ...target, body });
    if (created.ok) return;
    if (created.failure.kind === 'already-exists') {
      await mergePatch(this.#transport, { ...target, patch: { series: { ...patchOfExisting(at).series } } });
      return;
    }
    this.#log.warn('an Event could not be written', { reason: created.failure.kind, event: write.event.reason });
  }
}

function targetOf(event: EventObject) {
  return { resource: EVENTS, namespace: event.metadata.namespace, name: event.metadata.name };
}
