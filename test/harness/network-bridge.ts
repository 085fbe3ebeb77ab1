import { createServer, connect, type Server, type Socket } from 'node:net';

/**
 * A network namespace without any interface but its own loopback, and two holes in it: sockets in the file system, which
 * belong to no network. `bridge(from, to)` hands every connection on; the ends are ports of 127.0.0.1 or socket files.
 */
export type End = { readonly port: number } | { readonly path: string };

export async function bridge(from: End, to: End): Promise<Server> {
  const server = createServer((near) => {
    const far = 'path' in to ? connect(to.path) : connect(to.port, '127.0.0.1');
    join(near, far);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if ('path' in from) server.listen(from.path, resolve);
    else server.listen(from.port, '127.0.0.1', resolve);
  });
  return server;
}

function join(near: Socket, far: Socket): void {
  const cut = (): void => {
    near.destroy();
    far.destroy();
  };
  for (const socket of [near, far]) socket.on('error', cut).on('close', cut);
  near.pipe(far);
  far.pipe(near);
}

/** Inside the namespace: `network-bridge.ts FOLDER INWARD-PORT OUTWARD-PORT…`; prints a line when all holes are open. */
if (process.argv[1]?.endsWith('network-bridge.ts') === true) {
  const [folder = '', inward = '', ...outward] = process.argv.slice(2);
  await bridge({ path: `${folder}/in-${inward}.sock` }, { port: Number(inward) });
  for (const port of outward) await bridge({ port: Number(port) }, { path: `${folder}/out-${port}.sock` });
  process.stdout.write('open\n');
}
