import { once } from 'node:events';
import { tidier } from '../../src/agent/collect-garbage.ts';
import { KeyStore } from '../../src/agent/key-store.ts';
import { systemClock } from '../../src/core/clock.ts';
import { SottoError } from '../../src/core/errors.ts';
import { unrepeated } from '../../src/kube/retry.ts';
import { Transport } from '../../src/kube/transport.ts';
import { SETTINGS, syncSettings } from './fixture.ts';

// Asks for credentials that cannot be used, as an agent does whose Secrets are of another kind, and is quiet. Input: JSON with
// the address and the authority of an API server, and the names of the Secrets.

interface Input {
  readonly server: string;
  readonly ca: string;
  readonly names: readonly string[];
}

const [line] = (await once(process.stdin, 'data')) as [Buffer];
const { server, ca, names } = JSON.parse(line.toString()) as Input;
const connection = { server: new URL(server), namespace: 'team', tls: { ca }, user: 'agent', warnings: [] };
const transport = new Transport({ ...connection, authorize: () => Promise.resolve({}) }, { clock: systemClock });
const keys = new KeyStore({
  transport,
  namespace: 'team',
  allowSources: [],
  clock: systemClock,
  repeat: unrepeated,
  settings: () => SETTINGS,
  onChange: () => undefined,
  onError: () => undefined,
  onMade: () => undefined,
});
let refused = 0;
for (const name of names) {
  const { source, ...sync } = syncSettings('a');
  await keys.access({ ...sync, source: { ...source, git: { ...source.git, secretName: name } } }).catch(count);
}
await tidier()();
process.stdout.write(`refused ${refused}\n`);
await once(process.stdin, 'data');

function count(thrown: unknown): void {
  if (!(thrown instanceof SottoError) || thrown.code !== 'SOTTO-KEYS-017') throw thrown;
  refused += 1;
}
