import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Json, memberAt, parseJson, stringAt, stringifyJson } from '../../src/core/json.ts';
import { createAuthority } from '../../src/demo/certificates.ts';
import { eventually, type World } from './world.ts';

/** One write that the API server asks about. */
export interface Review {
  readonly name: string;
  readonly fieldManager: string;
  readonly object: Json;
  readonly before: Json;
}

/** JSON patch, or undefined to leave the object as it is. */
export type Mutation = (review: Review) => Json | undefined;

/** A mutating webhook on one kind in the namespace of a world. */
export interface AdmissionWebhook extends AsyncDisposable {
  /** From now on, until the next call. */
  mutate(mutation: Mutation): void;
}

export interface WebhookOptions {
  readonly apiGroup: string;
  readonly resource: string;
  /** Of an object of that kind: written in a dry run, to see when the API server asks. */
  readonly path: string;
}

const LEFT: Mutation = () => undefined;
const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';

export async function startAdmissionWebhook(world: World, options: WebhookOptions): Promise<AdmissionWebhook> {
  const authority = await createAuthority('sotto test webhook');
  const issued = await authority.issue({ commonName: 'webhook', hosts: ['localhost', '127.0.0.1'] });
  let mutation: Mutation = LEFT;
  let asked = 0;
  const server = https.createServer(
    { cert: issued.certificatePem, key: issued.privateKeyPem },
    (incoming, outgoing) => {
      asked += 1;
      void serve(incoming, outgoing, mutation);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as AddressInfo;
  const name = `${world.namespace}-${options.resource}`;
  await world.create(CONFIGURATIONS, {
    metadata: { name },
    webhooks: [
      {
        name: 'rows.sotto.dev',
        clientConfig: {
          url: `https://127.0.0.1:${port}/`,
          caBundle: Buffer.from(authority.certificatePem).toString('base64'),
        },
        rules: [
          { apiGroups: [options.apiGroup], apiVersions: ['*'], resources: [options.resource], operations: ['UPDATE'] },
        ],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': world.namespace } },
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        failurePolicy: 'Fail',
      },
    ],
  });
  await eventually('the API server asks the webhook', async () => {
    await world.own.plane.admin('PATCH', `${options.path}?dryRun=All`, { metadata: { annotations: { asked: 'x' } } });
    return asked > 0 ? true : undefined;
  });
  return {
    mutate: (next) => void (mutation = next),
    [Symbol.asyncDispose]: async () => {
      await world.own.plane.admin('DELETE', `${CONFIGURATIONS}/${name}`);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function serve(incoming: IncomingMessage, outgoing: ServerResponse, mutation: Mutation): Promise<void> {
  const answer = await answerTo(incoming, mutation);
  outgoing.writeHead(200, { 'content-type': 'application/json' });
  outgoing.end(answer);
}

async function answerTo(incoming: IncomingMessage, mutation: Mutation): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(Buffer.from(piece as Buffer));
  const review = parseJson(Buffer.concat(pieces).toString());
  const request = memberAt(review, 'request');
  const patch = mutation({
    name: stringAt(request, 'name') ?? '',
    fieldManager: stringAt(request, 'options', 'fieldManager') ?? '',
    object: memberAt(request, 'object') ?? null,
    before: memberAt(request, 'oldObject') ?? null,
  });
  const changes =
    patch === undefined ? {} : { patchType: 'JSONPatch', patch: Buffer.from(stringifyJson(patch)).toString('base64') };
  return stringifyJson({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid: stringAt(request, 'uid') ?? '', allowed: true, ...changes },
  });
}
