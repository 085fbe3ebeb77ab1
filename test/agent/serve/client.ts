import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Listener } from '../../../src/agent/serve/listener.ts';

export interface Response {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request on a connection of its own. */
export function ask(listener: Listener, path: string, { method = 'GET', body, headers }: Ask = {}): Promise<Response> {
  const { host, port } = listener;
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path, method, headers: { ...headers }, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/** What comes back on a plain connection until the other side closes it. */
export function exchange(listener: Listener, send: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(listener.port, listener.host, () => socket.write(send));
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    socket.on('error', () => undefined).on('close', () => resolve(text));
  });
}

/** A connection that is open and says nothing by itself. */
export function connected(listener: Listener): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(listener.port, listener.host, () => {
      // Unread, the end of the other side would not be seen.
      socket
        .resume()
        .off('error', reject)
        .on('error', () => undefined);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}
