import { setTimeout as sleep } from 'node:timers/promises';
import { SottoError } from '../../core/errors.ts';
import { CANARY_LABEL, isCanaryProof, newCanary } from '../../keys/canary.ts';
import type { SealingCertificate } from '../../sealed/certificate.ts';
import { sealValue } from '../../sealed/seal.ts';
import { encryptForRecipients } from '../../sops/recipients.ts';
import { askAgent } from '../ask-agent.ts';
import type { Cluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { whoAmI } from '../who.ts';

/** Until the agent has seen the new Secret and read it. */
const TRIES = 30;
const PAUSE_MS = 1_000;
const ANSWER_MS = 30_000;

/** An age recipient, or a sealing certificate. */
export type CanaryKey = string | SealingCertificate;

/**
 * The running agent proves that it holds a new key: it opens a nonce that was made for it. Who only writes the status
 * cannot answer. Returns the syncs that would open their files with it. Throws SOTTO-ROTATE-014.
 */
export async function proveCanary(cluster: Cluster, key: CanaryKey, context: CommandContext): Promise<string[]> {
  const name = typeof key === 'string' ? key : key.fingerprint;
  const by = await whoAmI(cluster);
  for (let tries = 1; ; tries += 1) {
    using content = newCanary();
    const sealed =
      typeof key === 'string'
        ? await encryptForRecipients(content.reveal(), [key])
        : sealValue(content, key, CANARY_LABEL);
    const request = { kind: 'canary', key: name, sealed, by, reason: 'a rotation' } as const;
    const asking = { signal: context.signal, timeoutMs: ANSWER_MS, onAccepted: () => undefined };
    const { outcome, message } = await askAgent(cluster, request, asking);
    const [word, proof = '', syncs = ''] = message.split(' ');
    if (outcome === 'done') {
      if (word === 'canary' && isCanaryProof(proof, content, name)) return syncs.split(',').filter(Boolean);
      throw notProved(
        'what answered cannot have opened it',
        'find out who else may write ConfigMap sotto-status: kubectl auth can-i --list',
      );
    }
    if (outcome === 'refused') throw notProved(message, 'use the version of sotto that the agent has (sotto version)');
    if (tries >= TRIES) throw notProved(message, 'sotto keys list, and sotto logs: why the new Secret is not read');
    await sleep(PAUSE_MS, undefined, { signal: context.signal });
  }
}

function notProved(why: string, next: string): SottoError {
  return new SottoError({
    code: 'SOTTO-ROTATE-014',
    what: 'nothing was encrypted for the new key, because the agent has not shown that it holds it',
    why,
    next: `${next}; then the same command again: it takes the key that was made`,
  });
}
