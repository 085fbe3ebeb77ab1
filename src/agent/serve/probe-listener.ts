import { SottoError } from '../../core/errors.ts';
import { readListenAddress } from '../../settings/listen-address.ts';
import { CannotListen, type Listener, startListener } from './listener.ts';
import { answerProbe, type ProbeView } from './probes.ts';

/**
 * The listener of `--listen`: health, readiness, metrics, the sealing certificate; nothing that decrypts. Undefined for
 * "". Throws SOTTO-CLI-001 when the address cannot be used.
 */
export async function startProbes(
  listen: string,
  view: ProbeView,
  onDefect: (thrown: unknown) => void,
): Promise<Listener | undefined> {
  if (listen === '') return undefined;
  const address = readListenAddress(listen);
  if (address === undefined) {
    throw refused(listen, 'it is not an address', 'use HOST:PORT or :PORT, for example --listen 127.0.0.1:8080');
  }
  try {
    return await startListener(address, { answer: (asked) => answerProbe(asked, view), onDefect });
  } catch (thrown) {
    if (!(thrown instanceof CannotListen)) throw thrown;
    throw refused(thrown.address, thrown.why, 'choose another address with --listen HOST:PORT');
  }
}

function refused(address: string, why: string, next: string): SottoError {
  return new SottoError({ code: 'SOTTO-CLI-001', what: `cannot listen on ${address}`, why, next });
}
