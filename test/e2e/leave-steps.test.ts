import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { depart, type Leaving } from '../../src/cli/leave-controller.ts';
import { systemClock } from '../../src/core/clock.ts';
import { arrayAt, type Json, type JsonObject, parseJson, stringAt } from '../../src/core/json.ts';
import { type ControlPlane, startControlPlane } from '../../src/demo/control-plane.ts';
import { loadConnection } from '../../src/kube/connection.ts';
import type { Reply } from '../../src/kube/exchange.ts';
import { type Call, Transport } from '../../src/kube/transport.ts';
import { namespaceForTest, type TestNamespace } from '../harness/control-plane.ts';
import { describeReal, toolPath } from '../harness/real.ts';
import { installSealedSecretsCrd } from '../harness/sealed-secrets-controller.ts';
import { eventually } from '../harness/world.ts';
import { errorOf } from '../sealed/material.ts';

const RULES = [
  { apiGroups: ['bitnami.com'], resources: ['sealedsecrets'], verbs: ['get', 'list', 'delete'] },
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'patch'] },
];
const MERGE_PATCH = 'application/merge-patch+json';

/** One request with its body, read before it is sent: the body of a Secret is overwritten. */
interface Sent {
  readonly what: string;
  readonly body: Json | undefined;
}

/** Requests to the real API server, which a test can see, and before which somebody else may come. */
class SeenTransport extends Transport {
  readonly sent: Sent[] = [];
  before: (what: string) => Promise<void> = () => Promise.resolve();
  after: (what: string) => Promise<void> = () => Promise.resolve();

  override async send(call: Call): Promise<Reply> {
    const what = `${call.method} ${/[^/]+\/[^/?]+(?=\?|$)/.exec(call.path)?.[0] ?? ''}`;
    const bytes = call.body?.bytes;
    this.sent.push({ what, body: bytes === undefined ? undefined : parseJson(Buffer.from(bytes).toString()) });
    await this.before(what);
    const reply = await super.send(call);
    await this.after(what);
    return reply;
  }
}

describeReal(
  'the steps by which a Secret leaves its SealedSecret',
  ['kube-apiserver', 'etcd', 'kube-controller-manager'],
  () => {
    let plane: ControlPlane;
    let own: TestNamespace;
    let transport: SeenTransport;
    let leaving: Leaving;
    let uids: { readonly other: string; readonly sealed: string; readonly secret: string };

    beforeAll(async () => {
      const names = ['kube-apiserver', 'etcd', 'kube-controller-manager'] as const;
      const [apiServer, etcd, manager] = names.map((name) => toolPath(name));
      plane = await startControlPlane({
        programs: { 'kube-apiserver': apiServer ?? '', etcd: etcd ?? '', 'kube-controller-manager': manager ?? '' },
        controllerManager: true,
      });
      await installSealedSecretsCrd(plane);
    });
    afterAll(() => plane.stop());

    beforeEach(async () => {
      own = await namespaceForTest(RULES, { plane });
      const { kubeconfigPath } = own.account;
      const connection = await loadConnection({
        kubeconfig: kubeconfigPath,
        context: undefined,
        env: {},
        clock: systemClock,
      });
      transport = new SeenTransport(connection, { clock: systemClock });
      const { namespace } = own;
      leaving = {
        cluster: { transport, connection, namespace },
        namespace,
        signal: new AbortController().signal,
        goneMs: 30_000,
      };
      const other = uidOf(await make(`/api/v1/namespaces/${namespace}/configmaps`, { metadata: { name: 'other' } }));
      const sealed = uidOf(await make(SEALED(), { metadata: { name: 'db' }, spec: { encryptedData: {} } }));
      const metadata = { name: 'db', ownerReferences: [configMapOwner(other), ownerOf(sealed)] };
      uids = { other, sealed, secret: uidOf(await make(SECRETS(), { metadata })) };
      return () => transport.close();
    });

    const SEALED = (): string => `/apis/bitnami.com/v1alpha1/namespaces/${own.namespace}/sealedsecrets`;
    const SECRETS = (): string => `/api/v1/namespaces/${own.namespace}/secrets`;
    const make = async (collection: string, object: JsonObject): Promise<Json> => {
      const kind = collection === SEALED() ? { apiVersion: 'bitnami.com/v1alpha1', kind: 'SealedSecret' } : {};
      const { status, body } = await plane.admin('POST', collection, { ...kind, ...object });
      if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
      return body;
    };
    const live = async (collection: string): Promise<Json | undefined> => {
      const { status, body } = await plane.admin('GET', `${collection}/db`);
      return status === 200 ? body : undefined;
    };
    const drop = async (collection: string, finalizers?: null): Promise<void> => {
      if (finalizers === null)
        await plane.admin('PATCH', `${collection}/db`, { metadata: { finalizers } }, MERGE_PATCH);
      await plane.admin('DELETE', `${collection}/db`, { propagationPolicy: 'Background' });
      await eventually('it is gone', async () => ((await live(collection)) === undefined ? true : undefined));
    };
    const putBack = async (): Promise<void> => {
      const patch = { metadata: { ownerReferences: [configMapOwner(uids.other), ownerOf(uids.sealed)] } };
      await plane.admin('PATCH', `${SECRETS()}/db`, patch, MERGE_PATCH);
    };
    const go = () => depart(leaving, { kind: 'ready', name: 'db', sealedUid: uids.sealed, secretUid: uids.secret });
    const steps = (): readonly string[] =>
      transport.sent.map(({ what }) => what).filter((what, at, all) => what !== all[at - 1]);

    test('are these, each only if both are still what was looked at, and nothing else is asked', async () => {
      await go();
      expect(steps()).toEqual([
        'GET secrets/db',
        'PATCH secrets/db',
        'GET secrets/db',
        'DELETE sealedsecrets/db',
        'GET sealedsecrets/db',
        'GET secrets/db',
      ]);
      const bodies = transport.sent.flatMap(({ body }) => (body === undefined ? [] : [body]));
      expect(bodies).toEqual([
        [
          { op: 'test', path: '/metadata/uid', value: uids.secret },
          { op: 'test', path: '/metadata/ownerReferences/1/uid', value: uids.sealed },
          { op: 'remove', path: '/metadata/ownerReferences/1' },
        ],
        {
          kind: 'DeleteOptions',
          apiVersion: 'v1',
          propagationPolicy: 'Orphan',
          preconditions: { uid: uids.sealed },
        },
      ]);
      expect(await live(SEALED())).toBeUndefined();
      const owners = arrayAt((await live(SECRETS())) ?? null, 'metadata', 'ownerReferences');
      expect(owners.map((owner) => stringAt(owner, 'kind'))).toEqual(['ConfigMap']);
    });

    test('go on only when the reference is gone: put back, it is taken off again before anything is deleted', async () => {
      let times = 0;
      transport.after = async (what) => {
        if (what !== 'PATCH secrets/db' || times === 2) return;
        times += 1;
        await putBack();
      };
      await go();
      expect(steps().slice(0, 8)).toEqual([
        'GET secrets/db',
        'PATCH secrets/db',
        'GET secrets/db',
        'PATCH secrets/db',
        'GET secrets/db',
        'PATCH secrets/db',
        'GET secrets/db',
        'DELETE sealedsecrets/db',
      ]);
      expect(uidOf((await live(SECRETS())) ?? null)).toBe(uids.secret);
    });

    test('end where the owner comes back every time: nothing is deleted', async () => {
      transport.after = (what) => (what === 'PATCH secrets/db' ? putBack() : Promise.resolve());
      const error = await errorOf(go);
      expect([error.code, error.what]).toEqual(['SOTTO-CLI-112', 'the owner of Secret db comes back']);
      expect(steps()).not.toContain('DELETE sealedsecrets/db');
      expect(uidOf((await live(SEALED())) ?? null)).toBe(uids.sealed);
    });

    test.each([
      ['before the first look', 'GET secrets/db'],
      ['between the look and the patch', 'PATCH secrets/db'],
    ])('end where the Secret is another one %s: neither is touched', async (_when, at) => {
      let other = '';
      transport.before = async (what) => {
        if (what !== at || other !== '') return;
        await drop(SECRETS());
        other = uidOf(await make(SECRETS(), { metadata: { name: 'db', ownerReferences: [ownerOf(uids.sealed)] } }));
      };
      const error = await errorOf(go);
      expect([error.code, error.what]).toEqual(['SOTTO-CLI-112', 'Secret db was replaced meanwhile']);
      const secret = (await live(SECRETS())) ?? null;
      expect([uidOf(secret), arrayAt(secret, 'metadata', 'ownerReferences').length]).toEqual([other, 1]);
      expect(steps()).not.toContain('DELETE sealedsecrets/db');
    });

    test('say so when somebody takes the Secret away after all', async () => {
      transport.before = (what) => (what === 'DELETE sealedsecrets/db' ? drop(SECRETS()) : Promise.resolve());
      const error = await errorOf(go);
      expect([error.code, error.what]).toEqual(['SOTTO-CLI-112', 'Secret db was replaced meanwhile']);
    });

    test('leave a resource alone that was made anew meanwhile', async () => {
      let other = '';
      transport.before = async (what) => {
        if (what !== 'DELETE sealedsecrets/db' || other !== '') return;
        await drop(SEALED());
        other = uidOf(await make(SEALED(), { metadata: { name: 'db' }, spec: { encryptedData: {} } }));
      };
      await go();
      expect(uidOf((await live(SEALED())) ?? null)).toBe(other);
      expect(uidOf((await live(SECRETS())) ?? null)).toBe(uids.secret);
    });

    test('say so when a finalizer holds the resource, and the same again goes on: the Secret is free by then', async () => {
      const finalizers = ['example.com/hold'];
      await plane.admin('PATCH', `${SEALED()}/db`, { metadata: { finalizers } }, MERGE_PATCH);
      leaving = { ...leaving, goneMs: 500 };
      const error = await errorOf(go);
      expect([error.code, error.what]).toEqual([
        'SOTTO-CLI-112',
        'SealedSecret db is being deleted and is still there',
      ]);
      const secret = (await live(SECRETS())) ?? null;
      expect([uidOf(secret), arrayAt(secret, 'metadata', 'ownerReferences').length]).toEqual([uids.secret, 1]);
      await plane.admin('PATCH', `${SEALED()}/db`, { metadata: { finalizers: null } }, MERGE_PATCH);
      await go();
      expect(await live(SEALED())).toBeUndefined();
      expect(uidOf((await live(SECRETS())) ?? null)).toBe(uids.secret);
    });
  },
);

/** A second owner, which stays: the garbage collector would take a Secret whose last owner is not there. */
function configMapOwner(uid: string): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', name: 'other', uid };
}

function ownerOf(uid: string): JsonObject {
  return { apiVersion: 'bitnami.com/v1alpha1', kind: 'SealedSecret', name: 'db', uid, controller: true };
}

function uidOf(object: Json): string {
  return stringAt(object, 'metadata', 'uid') ?? '';
}
