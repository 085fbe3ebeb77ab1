import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EncryptedDocuments } from '../../authoring/rotation/documents.ts';
import type { RotationGoal } from '../../authoring/rotation/plan.ts';
import { receiptFor } from '../../authoring/rotation/receipt-for.ts';
import { openingKeys } from '../../authoring/rotation/rows.ts';
import type { CommitId } from '../../git/output.ts';
import { receiptSigner } from '../../keys/receipt-key.ts';
import type { SealingKey } from '../../sealed/sealing-key.ts';
import { rotationKeys } from './prepare.ts';
import type { RotationWork } from './site.ts';

const NONE: EncryptedDocuments = { policies: [], sops: [], sealed: [], unread: [] };

export interface Receipted {
  readonly parent: CommitId;
  readonly documents: EncryptedDocuments;
  readonly goal: RotationGoal;
  readonly sealing: SealingKey | undefined;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly now: Date;
}

/** The signed receipt that goes into the commit: `sotto check --rotation` holds it against what is there. */
export async function receiptOf(
  work: RotationWork,
  { parent, documents, goal, sealing, files, now }: Receipted,
): Promise<Uint8Array> {
  const { agent } = work;
  const changed = new Set(files.keys());
  const keys = rotationKeys(work, undefined);
  const openedBy = new Map<string, readonly string[]>();
  const pieces = [
    ...documents.sops.map((each) => ({ ...NONE, sops: [each] })),
    ...documents.sealed.map((each) => ({ ...NONE, sealed: [each] })),
  ];
  for (const piece of pieces) {
    await nextTurn();
    for (const [path, names] of await openingKeys(piece, changed, keys)) openedBy.set(path, names);
  }
  const made = [goal.age?.made, sealing?.fingerprint].filter((name) => name !== undefined);
  return receiptFor(
    {
      parent,
      at: now,
      namespace: agent.place.agentNamespace,
      keys: { old: goal.age === undefined ? [] : [goal.age.old], made },
      before: documents,
      files,
      openedBy,
    },
    receiptSigner(agent.fingerprint.current),
  );
}
