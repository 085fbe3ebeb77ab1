export interface ListenAddress {
  /** Undefined: every address of the machine. */
  readonly host?: string | undefined;
  /** 0: one that is free. */
  readonly port: number;
}

/** `HOST:PORT`, `:PORT` or `[::1]:PORT`; undefined: it is none of them. */
export function readListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return undefined;
  const host = match[1] ?? match[2];
  return { host: host === '' ? undefined : host, port };
}
