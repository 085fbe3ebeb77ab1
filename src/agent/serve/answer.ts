/** What a listener looks at of a request: nothing of its body, and of its headers only the host. */
export interface Asked {
  readonly method: string;
  /** As it stands in the request line. */
  readonly target: string;
  /** Undefined: none, or more than one. */
  readonly host: string | undefined;
  /** The address of ours that the connection came to. */
  readonly localAddress: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const TEXT = 'text/plain; charset=utf-8';

export function text(status: number, body: string): Answer {
  return { status, contentType: TEXT, body: `${body}\n` };
}

/** Undefined: the method is one that only reads. */
export function refusedMethod({ method }: Asked): Answer | undefined {
  if (method === 'GET' || method === 'HEAD') return undefined;
  return { ...text(405, 'only GET and HEAD'), headers: { allow: 'GET, HEAD' } };
}

/** Query and fragment do not matter; a target that is not a path (`*`, a proxy's URL) is no path of ours. */
export function pathOf({ target }: Asked): string {
  return target.split(/[?#]/, 1)[0] ?? '';
}
