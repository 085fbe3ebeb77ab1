import { isAbsolute } from 'node:path';
import { badAddress } from '../renderer-failure.ts';
import { type SharedKey, sharedKey } from './shared-key.ts';

/** Where a renderer is asked: beside the agent, where the folder of the socket keeps others out, or in a Pod of its own. */
export type RendererPlace =
  | { readonly kind: 'unix'; readonly path: string }
  | {
      readonly kind: 'tcp';
      /** Undefined: every address of the machine, for who listens. */
      readonly host: string | undefined;
      readonly port: number;
      readonly key: SharedKey;
    };

/** The kernel's cap on the path of a socket is 108 bytes, the end included. */
const MAX_PATH_BYTES = 107;

/** `unix:/PATH`, or `tcp:HOST:PORT` with the file of a token. Throws SottoError. */
export function readRendererPlace(text: string, tokenFile: string | undefined): RendererPlace {
  const [, path] = /^unix:(.+)$/s.exec(text) ?? [];
  if (path !== undefined) {
    if (!isAbsolute(path) || path.includes('\0')) throw badAddress(text, 'the path of a socket is absolute');
    if (Buffer.byteLength(path) > MAX_PATH_BYTES) throw badAddress(text, `it has more than ${MAX_PATH_BYTES} bytes`);
    return { kind: 'unix', path };
  }
  const [, inBrackets, name, digits] = /^tcp:(?:\[([0-9a-fA-F:.]+)\]|([\w.-]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) throw badAddress(text, 'it is neither unix:/PATH nor tcp:HOST:PORT');
  if (tokenFile === undefined) throw badAddress(text, 'over a network both sides need the same token');
  const host = inBrackets ?? name;
  return { kind: 'tcp', host: host === '' ? undefined : host, port, key: sharedKey(tokenFile) };
}
