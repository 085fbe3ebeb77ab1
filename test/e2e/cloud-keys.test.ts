import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringAt } from '../../src/core/json.ts';
import { attentionOf, untilReady, untilTried } from '../harness/attention.ts';
import { AWS_ARN, AWS_ID, AWS_ROLE, AWS_SECRET, startAws } from '../harness/aws.ts';
import { leakCheck, plantCanaries } from '../harness/leak-check.ts';
import { describeReal } from '../harness/real.ts';
import { stockOutput } from '../harness/stock.ts';
import { createWorld, secret, settingsText } from '../harness/world.ts';

const TOOLS = ['kube-apiserver', 'etcd', 'sops', 'age-keygen'] as const;

describeReal('files with keys of cloud services', TOOLS, () => {
  test('open with the credentials of a key Secret once settings allow their keys, and nothing is asked before', async () => {
    using canaries = plantCanaries([4]);
    const [password = ''] = canaries.values;
    await using aws = await startAws({ tls: true, needsRole: true });
    await using world = await createWorld();
    await world.create(`/api/v1/namespaces/${world.namespace}/secrets`, {
      ...secret('sops-aws', {
        'sops.aws-kms': `aws_access_key_id: ${AWS_ID}\naws_secret_access_key: ${AWS_SECRET}\n`,
        'ca.crt': aws.caPem,
      }),
      metadata: { name: 'sops-aws', labels: { 'sotto.dev/use': 'keys' } },
    });
    const folder = await mkdtemp(join(tmpdir(), 'sotto-clouds-'));
    await writeFile(join(folder, 'ca.crt'), aws.caPem);
    const stock = async (name: string, args: readonly string[], env: Readonly<Record<string, string>>) => {
      const stdin = JSON.stringify(secret(name, { password }));
      const flags = ['--encrypted-regex', '^stringData$', '--filename-override', `${name}.json`];
      return (
        await stockOutput('sops', ['encrypt', ...args, ...flags], { stdin, env: { HOME: folder, ...env } })
      ).toString();
    };
    const ofAws = await stock('of-aws', ['--kms', `${AWS_ARN}+${AWS_ROLE}`], {
      AWS_ACCESS_KEY_ID: AWS_ID,
      AWS_SECRET_ACCESS_KEY: AWS_SECRET,
      AWS_CA_BUNDLE: join(folder, 'ca.crt'),
      AWS_ENDPOINT_URL_KMS: aws.address,
      AWS_ENDPOINT_URL_STS: aws.address,
      AWS_EC2_METADATA_DISABLED: 'true',
    });
    await rm(folder, { recursive: true });
    const before = aws.connections();

    const commit = await world.repository.commit({ 'deploy/of-aws.json': ofAws }, 'first');
    await using agent = await world.start();
    const refused = attentionOf(await untilTried(world, commit));
    expect(refused).toMatchObject([{ code: 'SOTTO-SOPS-070', file: 'deploy/of-aws.json' }]);
    expect(refused[0]?.text).toContain(`awsKms: [ { arn: "${AWS_ARN}", role: "${AWS_ROLE}" } ]`);
    expect(aws.connections()).toBe(before);

    const allowed = `awsKms: [ { arn: "${AWS_ARN}", role: "${AWS_ROLE}", endpoint: "${aws.address}", stsEndpoint: "${aws.address}" } ]`;
    await world.settings(
      settingsText(world.git.url(world.repository)).replace(
        /^decryption: .*$/m,
        `decryption: { keys: [ { secretRef: { name: sops-age } } ], ${allowed} }`,
      ),
    );
    const status = await untilReady(world, commit);
    for (const name of ['of-aws']) {
      const live = await world.get(`/api/v1/namespaces/${world.namespace}/secrets/${name}`);
      expect(Buffer.from(stringAt(live, 'data', 'password') ?? '', 'base64').toString()).toBe(password);
    }
    expect(aws.connections()).toBeGreaterThan(before);
    expect(JSON.stringify(status) + JSON.stringify(agent.log)).not.toContain(AWS_SECRET);
    await leakCheck(world, agent, canaries);
  });
});
