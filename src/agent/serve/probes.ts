import { type Answer, type Asked, pathOf, refusedMethod, text } from './answer.ts';

/** What the listener asks of the agent. Every function answers from memory: a probe causes no request. */
export interface ProbeView {
  /** Whether the loop makes progress; the absence of the API server is no reason to be restarted. */
  healthy(): ProbeResult;
  /** Whether settings and inventory are loaded and the API server was reached. */
  ready(): ProbeResult;
  /** Prometheus text format 0.0.4. */
  metrics(): Promise<string>;
  /** The sealing certificate as PEM, undefined while there is none. */
  certificate(): string | undefined;
}

export interface ProbeResult {
  readonly ok: boolean;
  /** One fact per line: what is stale, forbidden or missing. Never a value. */
  readonly lines: readonly string[];
}

const METRICS = 'text/plain; version=0.0.4; charset=utf-8';

/** The answer to one request line. Nothing of the request but method and path is looked at. */
export async function answerProbe(asked: Asked, view: ProbeView): Promise<Answer> {
  const refused = refusedMethod(asked);
  if (refused !== undefined) return refused;
  switch (pathOf(asked)) {
    case '/healthz':
      return result(view.healthy());
    case '/readyz':
      return result(view.ready());
    case '/metrics':
      return { status: 200, contentType: METRICS, body: await view.metrics() };
    case '/v1/cert.pem':
      return certificate(view.certificate());
    default:
      return text(404, 'not found: /healthz, /readyz, /metrics and /v1/cert.pem are served here');
  }
}

function result({ ok, lines }: ProbeResult): Answer {
  return text(ok ? 200 : 503, [ok ? 'ok' : 'not ok', ...lines].join('\n'));
}

function certificate(pem: string | undefined): Answer {
  // The type that kubeseal's controller uses; kubeseal itself reads only the body.
  if (pem !== undefined) return { status: 200, contentType: 'application/x-pem-file', body: pem };
  return text(404, 'this agent has no sealing key (settings: sealing.enabled)');
}
