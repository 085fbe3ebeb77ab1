import { describe, expect, it } from 'vitest';
import { openSnapshot } from '../../src/agent/pass-stages.ts';
import type { BlobId } from '../../src/git/output.ts';
import { nobody, runtime, snapshot, testAgent } from './fixture.ts';

const bytes = new TextEncoder().encode('apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n');
const SNAPSHOT = { ...snapshot('1'), files: [{ path: 'x.yaml', blob: 'b1' as BlobId, bytes }] };

describe('documents that were opened', () => {
  it('are not kept where the settings say meanwhile that SealedSecrets are read in another way', async () => {
    const sync = runtime('a');
    const { context } = testAgent(nobody(), [sync]);
    using opener = context.opener(sync);
    const opening = openSnapshot(context, sync, SNAPSHOT, opener);
    sync.opened.clear();
    sync.settings = { ...sync.settings, sealedSecrets: 'passthrough' };
    expect((await opening).documents).toHaveLength(1);
    expect(sync.opened.size).toBe(0);
    await openSnapshot(context, sync, SNAPSHOT, opener);
    expect(sync.opened.size).toBe(1);
  });
});
