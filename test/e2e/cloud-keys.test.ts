import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringAt } from '../../src/core/json.ts';
import { attentionOf, untilReady, untilTried } from '../harness/attention.ts';
import { AWS_ARN, AWS_ID, AWS_ROLE, AWS_SECRET, startAws } from '../harness/aws.ts';
import {
  AZURE_CLIENT,
  AZURE_NAME,
  AZURE_SECRET,
  AZURE_TENANT,
  AZURE_VAULT,
  AZURE_VERSION,
  startAzure,
} from '../harness/azure.ts';
import { GCP_KEY, startGcp } from '../harness/gcp.ts';
import { leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { describeReal } from '../harness/real.ts';
import type { Listener } from '../harness/service-listener.ts';
import { stockOutput } from '../harness/stock.ts';
import { createWorld, secret, settingsText } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

describeReal('files with keys of cloud services', TOOLS, () => {
  test('open with the credentials of a key Secret once settings allow their keys, and nothing is asked before', async () => {
    using canaries = plantCanaries([4]);
    const [password = ''] = canaries.values;
    await using aws = await startAws({ tls: true, needsRole: true });
    await using gcp = await startGcp({ tls: true });
    await using azure = await startAzure();
    const clouds = [aws, gcp, azure] as const;
    await using world = await createWorld();
    const keys = { 'sops.aws-kms': `aws_access_key_id: ${AWS_ID}\naws_secret_access_key: ${AWS_SECRET}\n` };
    await world.create(`/api/v1/namespaces/${world.namespace}/secrets`, keySecret('sops-aws', keys, aws));
    await world.create(
      `/api/v1/namespaces/${world.namespace}/secrets`,
      keySecret('sops-gcp', { 'sops.gcp-kms': gcp.account }, gcp),
    );
    const application = { tenantId: AZURE_TENANT, clientId: AZURE_CLIENT, clientSecret: AZURE_SECRET };
    await world.create(
      `/api/v1/namespaces/${world.namespace}/secrets`,
      keySecret('sops-azure', { 'sops.azure-kv': JSON.stringify(application) }, azure),
    );
    const ofAws = await byStock('of-aws', password, aws, ['--kms', `${AWS_ARN}+${AWS_ROLE}`], {
      AWS_ACCESS_KEY_ID: AWS_ID,
      AWS_SECRET_ACCESS_KEY: AWS_SECRET,
      AWS_ENDPOINT_URL_KMS: aws.address,
      AWS_ENDPOINT_URL_STS: aws.address,
      AWS_EC2_METADATA_DISABLED: 'true',
    });
    const ofGcp = await byStock('of-gcp', password, gcp, ['--gcp-kms', GCP_KEY], {
      GOOGLE_CREDENTIALS: gcp.account,
      SOPS_GCP_KMS_CLIENT_TYPE: 'rest',
      SOPS_GCP_KMS_ENDPOINT: gcp.address,
    });
    const azureKey = `${AZURE_VAULT}/keys/${AZURE_NAME}/${AZURE_VERSION}`;
    const ofAzure = await byStock('of-azure', password, azure, ['--azure-kv', azureKey], {
      AZURE_TENANT_ID: AZURE_TENANT,
      AZURE_CLIENT_ID: AZURE_CLIENT,
      AZURE_CLIENT_SECRET: AZURE_SECRET,
      HTTPS_PROXY: azure.proxy,
    });
    const before = clouds.map((cloud) => cloud.connections());

    // Nothing vouches for the name of the vault, so the agent can be sent to the listener.
    const files = {
      'deploy/of-aws.json': ofAws,
      'deploy/of-azure.json': ofAzure.replace(AZURE_VAULT, azure.address),
      'deploy/of-gcp.json': ofGcp,
    };
    const commit = await world.repository.commit(files, 'first');
    await using agent = await world.start();
    const refused = attentionOf(await untilTried(world, commit));
    expect(refused.map(({ code, file }) => [code, file])).toEqual(
      Object.keys(files).map((file) => ['SOTTO-SOPS-070', file]),
    );
    const texts = refused.map(({ text }) => text).join('\n');
    expect(texts).toContain(`awsKms: [ { arn: "${AWS_ARN}", role: "${AWS_ROLE}" } ]`);
    expect(texts).toContain(`gcpKms: [ { resourceId: "${GCP_KEY}" } ]`);
    expect(texts).toContain(`azureKeyVault: [ { vaultUrl: "${azure.address}" } ]`);
    expect(clouds.map((cloud) => cloud.connections())).toEqual(before);

    const allowed = [
      `awsKms: [ { arn: "${AWS_ARN}", role: "${AWS_ROLE}", endpoint: "${aws.address}", stsEndpoint: "${aws.address}" } ]`,
      `gcpKms: [ { resourceId: "${GCP_KEY}", endpoint: "${gcp.address}" } ]`,
      `azureKeyVault: [ { vaultUrl: "${azure.address}", loginEndpoint: "${azure.address}" } ]`,
    ];
    await world.settings(
      settingsText(world.git.url(world.repository)).replace(
        /^decryption: .*$/m,
        `decryption: { keys: [ { secretRef: { name: sops-age } } ], ${allowed.join(', ')} }`,
      ),
    );
    const status = await untilReady(world, commit);
    for (const name of ['of-aws', 'of-azure', 'of-gcp']) {
      const live = await world.get(`/api/v1/namespaces/${world.namespace}/secrets/${name}`);
      expect(Buffer.from(stringAt(live, 'data', 'password') ?? '', 'base64').toString()).toBe(password);
    }
    for (const [index, cloud] of clouds.entries()) expect(cloud.connections()).toBeGreaterThan(before[index] ?? 0);
    const told = JSON.stringify(status) + JSON.stringify(agent.log);
    for (const shown of [AWS_SECRET, 'PRIVATE KEY', AZURE_SECRET]) expect(told).not.toContain(shown);
    await leakCheck(world, agent, canaries);
  });
});

/** Marked as what it is for; the authority of the listener beside the credential. */
function keySecret(name: string, entries: Readonly<Record<string, string>>, { caPem }: Listener) {
  const made = secret(name, { ...entries, 'ca.crt': caPem });
  return { ...made, metadata: { name, labels: { 'sotto.dev/use': 'keys' } } };
}

async function byStock(
  name: string,
  password: string,
  { caPem }: Listener,
  keys: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sotto-clouds-'));
  try {
    const ca = join(folder, 'ca.crt');
    await writeFile(ca, caPem);
    const stdin = JSON.stringify(secret(name, { password }));
    const args = ['encrypt', ...keys, '--encrypted-regex', '^stringData$', '--filename-override', `${name}.json`];
    const trusted = { HOME: folder, AWS_CA_BUNDLE: ca, SSL_CERT_FILE: ca, ...env };
    return (await stockOutput('sops', args, { stdin, env: trusted })).toString();
  } finally {
    await rm(folder, { recursive: true });
  }
}
