import { isJsonObject, type Json, type JsonObject, memberAt, stringifyJson } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { createObject, mergePatch } from '../kube/objects.ts';
import { CONFIG_MAPS } from '../kube/resource.ts';
import { withRetry } from '../kube/retry.ts';
import { watchResource } from '../kube/watch.ts';
import { REQUESTS_NAME } from '../core/labels.ts';
import type { Answer, HandledRequest } from '../report/status.ts';
import { answerRequest } from './answer.ts';
import { BEGUN_ANNOTATION, begunIn, begunText, begunTooOften, isCounted } from './begun.ts';
import type { AgentContext } from './context.ts';

export interface RequestDeskOptions {
  readonly agent: AgentContext;
  /** Writes the status at once; resolves when the answers stand in it. */
  answered(): Promise<void>;
  onDefect(thrown: unknown): void;
}

/** A request that takes longer is answered `accepted` first, so that whoever waits knows that somebody is there. */
const ACCEPT_AFTER_MS = 1_000;

/** ConfigMap `sotto-requests`: takes up each entry once, answers in the status document, then removes the entry. */
export class RequestDesk {
  readonly #options: RequestDeskOptions;
  /** Taken up, and not yet seen to be gone. */
  readonly #taken = new Set<string>();
  #handled: HandledRequest[] = [];
  /** How often requests that are there were begun, by this agent and those before. */
  readonly #begun = new Map<string, number>();

  constructor(options: RequestDeskOptions) {
    this.#options = options;
  }

  /** Oldest first. */
  get handled(): readonly HandledRequest[] {
    return this.#handled;
  }

  /** Until the agent ends. The ConfigMap is made if it is missing, so that people need no right to create one. */
  async run(): Promise<void> {
    const { transport, clock, random, signal, place } = this.#options.agent;
    await watchResource({
      mode: 'full',
      resource: CONFIG_MAPS,
      transport,
      clock,
      random,
      signal,
      namespace: place.agentNamespace,
      fieldSelector: `metadata.name=${REQUESTS_NAME}`,
      onEvent: (event) => {
        if (event.type === 'added' || event.type === 'modified') this.#look(event.object);
        const isMissing = event.type === 'deleted' || (event.type === 'synced' && event.present.size === 0);
        if (!isMissing) return;
        for (const id of this.#taken) this.#forget(id);
        this.#create().catch((thrown: unknown) => this.#options.onDefect(thrown));
      },
    });
  }

  #look(object: Json): void {
    const data = memberAt(object, 'data');
    const entries = isJsonObject(data) ? Object.entries(data) : [];
    const present = new Set(entries.map(([id]) => id));
    for (const id of this.#taken) if (!present.has(id)) this.#forget(id);
    const fresh = entries.filter(([id]) => !this.#taken.has(id)).slice(0, LIMITS.maxRequests - this.#taken.size);
    const begun = begunIn(object);
    for (const [id, text] of fresh) {
      this.#taken.add(id);
      this.#begun.set(id, begun.get(id) ?? 0);
      this.#handle(id, typeof text === 'string' ? text : '').catch((thrown: unknown) => this.#options.onDefect(thrown));
    }
  }

  async #handle(id: string, text: string): Promise<void> {
    const { agent } = this.#options;
    const accept = setTimeout(() => {
      this.#tell(id, { outcome: 'accepted', message: 'the agent is at it' });
      void this.#options.answered();
    }, ACCEPT_AFTER_MS);
    const answer = await this.#answer(id, text).finally(() => clearTimeout(accept));
    // The agent ends: whoever starts next takes the request up again.
    if (agent.signal.aborted) return;
    this.#tell(id, answer);
    agent.log.info('request answered', { id, ...answer });
    await this.#options.answered();
    // Stopped before the answer was stored: then the request is still one.
    if (!agent.signal.aborted) await this.#remove(id);
  }

  async #answer(id: string, text: string): Promise<Answer> {
    const { agent } = this.#options;
    const { targetNamespace } = agent.place;
    if (isCounted(text, { targetNamespace, now: agent.clock.now() })) {
      const before = this.#begun.get(id) ?? 0;
      const error = begunTooOften(before);
      if (error !== undefined) return { outcome: 'failed', message: error.text() };
      this.#begun.set(id, before + 1);
      await this.#patch(id, {});
    }
    return answerRequest(agent, text);
  }

  #forget(id: string): void {
    this.#taken.delete(id);
    this.#begun.delete(id);
  }

  #tell(id: string, answer: Answer): void {
    this.#handled = [...this.#handled.filter((each) => each.id !== id), { id, ...answer }].slice(-LIMITS.maxHandled);
  }

  /** An entry that cannot be removed stays taken: it is not done twice by this agent. */
  async #remove(id: string): Promise<void> {
    this.#begun.delete(id);
    await this.#patch(id, { data: { [id]: null } });
  }

  /** With it goes how often each was begun. */
  async #patch(id: string, change: JsonObject): Promise<void> {
    const { transport, random, signal, place, log } = this.#options.agent;
    const target = { resource: CONFIG_MAPS, namespace: place.agentNamespace, name: REQUESTS_NAME };
    const begun = begunText(new Map([...this.#begun].filter(([, count]) => count > 0)));
    const patch = { ...change, metadata: { annotations: { [BEGUN_ANNOTATION]: begun } } };
    const answer = await withRetry(() => mergePatch(transport, { ...target, patch }), { random, signal });
    if (!answer.ok && answer.failure.kind !== 'not-found') {
      log.warn('what became of a request could not be written to it', { id, reason: answer.failure.kind });
    }
  }

  async #create(): Promise<void> {
    const { transport, place, log, signal } = this.#options.agent;
    if (signal.aborted) return;
    const metadata = {
      name: REQUESTS_NAME,
      namespace: place.agentNamespace,
      labels: { 'app.kubernetes.io/managed-by': 'sotto' },
    };
    const body = Buffer.from(stringifyJson({ apiVersion: 'v1', kind: 'ConfigMap', metadata }), 'utf8');
    const target = { resource: CONFIG_MAPS, namespace: place.agentNamespace, name: REQUESTS_NAME };
    const answer = await createObject(transport, { ...target, body });
    if (answer.ok || answer.failure.kind === 'already-exists') return;
    log.warn('the ConfigMap for requests could not be made', { reason: answer.failure.kind });
  }
}
