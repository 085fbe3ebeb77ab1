import { escaped } from '../../report/sanitise.ts';
import type { UndoneEdit } from '../undone-edits.ts';
import { type Answer, type Asked, pathOf, refusedMethod, text } from './answer.ts';
import { statusWithUndone } from './status-json.ts';

/** What the page asks of the agent; answered from memory. */
export interface PageView {
  /** The status document with what changes all the time; undefined before there is one. */
  status(): unknown;
  /** Changes of people that were undone, newest first. */
  undone(): readonly UndoneEdit[];
}

/** No other origin may use the answer, frame it or guess its type. */
const HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
};

/** `listenHost`: the host of `page.listen`, undefined for every address. */
export function answerPage(asked: Asked, view: PageView, listenHost: string | undefined): Answer {
  return { ...answer(asked, view, listenHost), headers: HEADERS };
}

function answer(asked: Asked, view: PageView, listenHost: string | undefined): Answer {
  if (!isOwnHost(asked, listenHost)) {
    return text(421, 'this Host is not one of this agent: use localhost, or the host of page.listen in the settings');
  }
  const refused = refusedMethod(asked);
  if (refused !== undefined) return refused;
  switch (pathOf(asked)) {
    case '/status.json':
      return statusJson(isFromInside(asked) ? statusWithUndone(view.status(), view.undone()) : view.status());
    case '/':
    case '/events':
      return text(404, 'not in this version: the page and its events. /status.json is served here');
    default:
      return text(404, 'not found: /status.json is served here');
  }
}

/** By a port-forward, or a program beside the agent: whoever comes over the network reads no value of any object. */
function isFromInside({ localAddress }: Asked): boolean {
  return localAddress !== undefined && /^(?:(?:::ffff:)?127\.\d+\.\d+\.\d+|::1)$/i.test(localAddress);
}

function statusJson(status: unknown): Answer {
  if (status === undefined) return text(503, 'the agent has no status yet: settings, inventory or API server missing');
  const json = escaped(JSON.stringify(status)).replaceAll(/[<>&]/g, escapedUnit);
  return { status: 200, contentType: 'application/json; charset=utf-8', body: `${json}\n` };
}

function escapedUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * A foreign page in the browser of whoever reads this one can let a name of its own point here (DNS rebinding); that
 * name is in Host. The port does not count: a port-forward has another one.
 */
function isOwnHost({ host, localAddress }: Asked, listenHost: string | undefined): boolean {
  const name = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?$/i.exec(host ?? '')?.[1]?.toLowerCase();
  if (name === undefined) return false;
  if (LOOPBACK.has(name)) return true;
  // Listening everywhere, the address that was asked is ours; a name that points at it need not be.
  return name === inUrl(listenHost ?? localAddress ?? 'localhost');
}

function inUrl(host: string): string {
  const plain = host.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
  return plain.includes(':') ? `[${plain}]` : plain;
}
