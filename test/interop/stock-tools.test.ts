import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { memberAt, stringAt } from '../../src/core/json.ts';
import { namespaceForTest } from '../harness/control-plane.ts';
import type { TestNamespace } from '../harness/control-plane.ts';
import { describeReal } from '../harness/real.ts';
import { startSealedSecretsController } from '../harness/sealed-secrets-controller.ts';
import { newAgeKeyPair, runStock, stockOutput } from '../harness/stock.ts';

describeReal('stock sops and age', ['sops', 'age', 'age-keygen'], () => {
  test('sops opens what it closed, and only with the key', async () => {
    const [mine, other] = [await newAgeKeyPair(), await newAgeKeyPair()];
    const plain = 'data:\n    password: hunter2\n';
    const types = ['--filename-override', 'db.yaml'];
    const closed = await stockOutput('sops', ['encrypt', '--age', mine.recipient, ...types], { stdin: plain });
    expect(closed.toString()).not.toContain('hunter2');
    const open = (identity: string) =>
      runStock('sops', ['decrypt', ...types], { stdin: closed, env: { SOPS_AGE_KEY: identity } });
    expect((await open(mine.identity)).stdout.toString()).toBe(plain);
    expect((await open(other.identity)).code).not.toBe(0);
  });

  test('age carries bytes that are not text', async () => {
    const { recipient } = await newAgeKeyPair();
    const closed = await stockOutput('age', ['-r', recipient], { stdin: Uint8Array.from([0, 255, 10, 13]) });
    expect(closed.subarray(0, 21).toString()).toBe('age-encryption.org/v1');
  });
});

describeReal('stock SealedSecrets', ['kube-apiserver', 'etcd', 'kubeseal', 'sealed-secrets-controller'], () => {
  test('the controller opens what kubeseal sealed', async () => {
    using own = await namespaceForTest([]);
    await using controller = await startSealedSecretsController(own.plane, own.namespace);
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'db', namespace: own.namespace },
      data: { password: Buffer.from('hunter2').toString('base64') },
    };
    const sealed = await stockOutput('kubeseal', ['--cert', controller.certificatePath, '--format', 'yaml'], {
      stdin: JSON.stringify(secret),
    });
    const path = `/apis/bitnami.com/v1alpha1/namespaces/${own.namespace}/sealedsecrets`;
    expect((await own.plane.admin('POST', path, sealed.toString(), 'application/yaml')).status).toBe(201);
    expect(await waitForPassword(own)).toBe('hunter2');
  });
});

async function waitForPassword({ plane, namespace }: TestNamespace): Promise<string> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const { status, body } = await plane.admin('GET', `/api/v1/namespaces/${namespace}/secrets/db`);
    if (status === 200) {
      expect(memberAt(body, 'metadata', 'ownerReferences')).toMatchObject([{ kind: 'SealedSecret', name: 'db' }]);
      return Buffer.from(stringAt(body, 'data', 'password') ?? '', 'base64').toString();
    }
    await sleep(100);
  }
  throw new Error('the controller made no Secret');
}
