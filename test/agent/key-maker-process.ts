import { once } from 'node:events';
import { tidier } from '../../src/agent/collect-garbage.ts';
import { makeSealingKey, storeRecovery } from '../../src/agent/sealing-key.ts';
import { ageKeySecret } from '../../src/authoring/rotation/age-key-secret.ts';
import { systemClock } from '../../src/core/clock.ts';
import { createObject } from '../../src/kube/objects.ts';
import { SECRETS } from '../../src/kube/resource.ts';
import { unrepeated } from '../../src/kube/retry.ts';
import { Transport } from '../../src/kube/transport.ts';

// Makes an age key and a sealing key as an agent that rotates does, with their copies for recovery, and is quiet. Input: JSON
// with the address and the authority of an API server, and for whom the copies are.

interface Input {
  readonly server: string;
  readonly ca: string;
  readonly recovery: string;
}

const [line] = (await once(process.stdin, 'data')) as [Buffer];
const { server, ca, recovery } = JSON.parse(line.toString()) as Input;
const namespace = 'team';
const transport = new Transport(
  {
    server: new URL(server),
    namespace,
    tls: { ca },
    authorize: () => Promise.resolve({}),
    user: 'agent',
    warnings: [],
  },
  { clock: systemClock },
);
const place = { transport, namespace, repeat: unrepeated };
await makeAgeKey();
await makeSealingKey(place, [recovery], new Date());
await tidier()();
process.stdout.write('made\n');
await once(process.stdin, 'data');

async function makeAgeKey(): Promise<void> {
  using key = ageKeySecret(namespace, 'age1old', new Date());
  await storeRecovery(place, key.name, key.fill, [recovery]);
  const made = await createObject(transport, {
    resource: SECRETS,
    namespace,
    name: key.name,
    body: key.fill().reveal(),
  });
  if (!made.ok) throw new TypeError('the Secret was not made');
}
