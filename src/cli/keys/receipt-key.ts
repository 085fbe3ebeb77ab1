import type { ReceiptKeyName } from '../../core/receipt-key.ts';
import { FINGERPRINT_ENTRY, fingerprintKey } from '../../keys/fingerprint.ts';
import { receiptSigner } from '../../keys/receipt-key.ts';
import { unrepeated } from '../../kube/retry.ts';
import { readSecret } from '../../kube/secret-reader.ts';
import type { Cluster } from '../cluster.ts';

/**
 * By whom the agent's receipts are signed, out of the Secret itself: what a status says, whoever writes ConfigMaps can
 * say. Undefined while the agent has not made it. Throws SottoError.
 */
export async function clusterReceiptKey(
  { transport, namespace }: Cluster,
  fingerprintSecret: string,
  signal: AbortSignal,
): Promise<ReceiptKeyName | undefined> {
  const secret = await readSecret(transport, namespace, fingerprintSecret, unrepeated, signal);
  try {
    const stored = secret?.entries.get(FINGERPRINT_ENTRY);
    return stored && receiptSigner(fingerprintKey(stored)).name;
  } finally {
    for (const value of secret?.entries.values() ?? []) value.wipe();
  }
}
