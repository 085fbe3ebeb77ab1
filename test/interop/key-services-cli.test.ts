import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type CliResult, sotto } from '../cli/session.ts';
import { type Aws, AWS_ARN, AWS_ID, AWS_ROLE, AWS_SECRET, startAws } from '../harness/aws.ts';
import { type Azure, AZURE_CLIENT, AZURE_NAME, AZURE_SECRET, AZURE_TENANT, startAzure } from '../harness/azure.ts';
import { type Gcp, GCP_KEY, startGcp } from '../harness/gcp.ts';
import { describeReal } from '../harness/real.ts';
import { newAgeKeyPair, stockOutput } from '../harness/stock.ts';

const CLEAR = 'password: hunter2\nuser: app\n';
const AWS_NAME = `${AWS_ARN}+${AWS_ROLE}`;

describeReal('a person with keys of key services', ['sops', 'age-keygen'], () => {
  let folder: string;
  let [aws, gcp, azure]: [Aws?, Gcp?, Azure?] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-services-'));
    [aws, gcp, azure] = [await startAws({ needsRole: true }), await startGcp(), await startAzure()];
    writeFileSync(join(folder, 'ca.crt'), azure.caPem);
    writeFileSync(join(folder, 'account.json'), gcp.account);
    const credentials = `[default]\naws_access_key_id = OTHER1\naws_secret_access_key = x\n\n[work]\naws_access_key_id = ${AWS_ID}\naws_secret_access_key = ${AWS_SECRET}\n`;
    writeFileSync(join(folder, 'aws-credentials'), credentials);
    const item = `{arn: "${AWS_ARN}", role: "${AWS_ROLE}", context: {team: app}}`;
    const vault = `{vaultUrl: "${azure.address}", key: ${AZURE_NAME}}`;
    const groups = [`kms: [${item}]`, `gcp_kms: [{resource_id: "${GCP_KEY}"}]`, `azure_keyvault: [${vault}]`];
    const listed = groups.map((keys) => `  - {${keys}}\n`).join('');
    const rules = [
      `- path_regex: aws\n  kms: "${AWS_NAME}"\n`,
      `- path_regex: gcp\n  gcp_kms: ${GCP_KEY}\n`,
      `- shamir_threshold: 2\n  key_groups:\n${listed}`,
    ];
    writeFileSync(join(folder, '.sops.yaml'), `creation_rules:\n${rules.join('')}`);
  });
  afterAll(async () => {
    for (const each of [aws, gcp, azure]) await each?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => writeFileSync(join(folder, 'f.yaml'), CLEAR));

  const connections = (): number[] => [aws, gcp, azure].map((each) => each?.connections() ?? 0);
  const env = () => ({
    HOME: folder,
    AWS_SHARED_CREDENTIALS_FILE: 'aws-credentials',
    AWS_PROFILE: 'work',
    AWS_ENDPOINT_URL: aws?.address ?? '',
    GOOGLE_APPLICATION_CREDENTIALS: 'account.json',
    SOPS_GCP_KMS_ENDPOINT: gcp?.address ?? '',
    AZURE_TENANT_ID: AZURE_TENANT,
    AZURE_CLIENT_ID: AZURE_CLIENT,
    AZURE_CLIENT_SECRET: AZURE_SECRET,
    AZURE_AUTHORITY_HOST: azure?.address ?? '',
    SSL_CERT_FILE: join(folder, 'ca.crt'),
  });
  const run = (args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<CliResult> =>
    sotto(args, { cwd: folder, env: { ...env(), ...more } });
  /** It does not show Azure's credential to a vault of another name, so the third group stays closed to it. */
  const stock = () => ({
    cwd: folder,
    env: {
      HOME: folder,
      AWS_ACCESS_KEY_ID: AWS_ID,
      AWS_SECRET_ACCESS_KEY: AWS_SECRET,
      AWS_ENDPOINT_URL: aws?.address ?? '',
      AWS_EC2_METADATA_DISABLED: 'true',
      GOOGLE_CREDENTIALS: gcp?.account ?? '',
      SOPS_GCP_KMS_CLIENT_TYPE: 'rest',
      AZURE_TENANT_ID: AZURE_TENANT,
      AZURE_CLIENT_ID: AZURE_CLIENT,
      AZURE_CLIENT_SECRET: AZURE_SECRET,
      HTTPS_PROXY: azure?.proxy ?? '',
      SSL_CERT_FILE: join(folder, 'ca.crt'),
      SOPS_GCP_KMS_ENDPOINT: gcp?.address ?? '',
    },
  });

  it('encrypts for key groups of all three only when each is named, stock sops opens it, and a change keeps them', async () => {
    const before = connections();
    const refused = await run(['encrypt', '-i', 'f.yaml']);
    expect(refused).toMatchObject({ exit: 4, stdout: '' });
    expect(refused.stderr).toContain('SOTTO-SOPS-070');
    expect(refused.stderr).toContain(`--key-service "${azure?.address ?? ''}", or set SOPS_AZURE_KEYVAULT_URLS`);
    writeFileSync(join(folder, 'aws.yaml'), CLEAR);
    const ofAws = await run(['encrypt', '-i', 'aws.yaml']);
    expect(ofAws.stderr).toContain(`--key-service "${AWS_NAME}", or set SOPS_KMS_ARN`);
    expect(connections()).toEqual(before);

    const all = ['--key-service', AWS_NAME, '--key-service', GCP_KEY, '--key-service', azure?.address ?? ''];
    expect(await run(['encrypt', '-i', ...all, 'f.yaml'])).toMatchObject({ exit: 0, stderr: '' });
    expect((await stockOutput('sops', ['decrypt', 'f.yaml'], stock())).toString()).toBe(CLEAR);

    const two = { SOPS_KMS_ARN: AWS_NAME, SOPS_AZURE_KEYVAULT_URLS: `${azure?.address ?? ''}/keys/x/y` };
    expect(await run(['decrypt', 'f.yaml'], two)).toMatchObject({ exit: 0, stdout: CLEAR });
    const one = await run(['decrypt', 'f.yaml'], { SOPS_GCP_KMS_IDS: GCP_KEY });
    expect(one.stderr).toContain('SOTTO-SOPS-030');
    expect(one.stderr).toContain(`--key-service "${AWS_NAME}", or set SOPS_KMS_ARN`);
    const changed = await sotto(['secret', 'set', '--yes', ...all, 'f.yaml', 'password'], {
      cwd: folder,
      env: env(),
      stdin: 'other\n',
    });
    expect(changed).toMatchObject({ exit: 0 });
    const clear = CLEAR.replace('hunter2', 'other');
    expect((await stockOutput('sops', ['decrypt', 'f.yaml'], stock())).toString()).toBe(clear);
  });

  it('takes somebody out of the recipients: the new data key is wrapped by the services again, once they are named', async () => {
    const [stays, leaves] = [await newAgeKeyPair(), await newAgeKeyPair()];
    const project = join(folder, 'project');
    mkdirSync(project);
    writeFileSync(join(project, 'keys.txt'), `${stays.identity}\n`);
    const item = `{arn: "${AWS_ARN}", role: "${AWS_ROLE}", context: {team: app}}`;
    const group = `{age: [${stays.recipient}, ${leaves.recipient}], kms: [${item}], gcp_kms: [{resource_id: "${GCP_KEY}"}]}`;
    writeFileSync(join(project, '.sops.yaml'), `creation_rules:\n- key_groups:\n  - ${group}\n`);
    writeFileSync(join(project, 'f.yaml'), CLEAR);
    const at = (args: readonly string[]): Promise<CliResult> =>
      sotto(args, {
        cwd: project,
        env: {
          ...env(),
          GOOGLE_APPLICATION_CREDENTIALS: join(folder, 'account.json'),
          AWS_SHARED_CREDENTIALS_FILE: join(folder, 'aws-credentials'),
        },
      });
    const named = ['--key-service', AWS_NAME, '--key-service', GCP_KEY];
    expect(await at(['encrypt', '-i', ...named, 'f.yaml'])).toMatchObject({ exit: 0, stderr: '' });
    const before = readFileSync(join(project, 'f.yaml'), 'utf8');
    const remove = ['recipients', 'remove', leaves.recipient, '--key-file', 'keys.txt', '--yes'];
    const counted = connections();
    const refused = await at(remove);
    expect(refused.stderr).toContain('SOTTO-SOPS-070');
    expect(connections()).toEqual(counted);
    expect(readFileSync(join(project, 'f.yaml'), 'utf8')).toBe(before);

    expect(await at([...remove, ...named])).toMatchObject({ exit: 0 });
    const text = readFileSync(join(project, 'f.yaml'), 'utf8');
    expect(text).not.toContain(leaves.recipient);
    // Without the identity: by each service alone.
    const { env: both, cwd } = { ...stock(), cwd: project };
    for (const without of ['AWS_SECRET_ACCESS_KEY', 'GOOGLE_CREDENTIALS'] as const) {
      const less = { ...both, [without]: '', AWS_SHARED_CREDENTIALS_FILE: '/nonexistent' };
      expect((await stockOutput('sops', ['decrypt', 'f.yaml'], { cwd, env: less })).toString()).toBe(CLEAR);
    }
    await expect(
      stockOutput('sops', ['decrypt', 'f.yaml'], { cwd, env: { HOME: folder, SOPS_AGE_KEY: leaves.identity } }),
    ).rejects.toThrow('128');
  });

  it('without a credential is told how to get one, and a bad one is no hindrance to other kinds', async () => {
    const bare = {
      HOME: join(folder, 'nobody'),
      AWS_PROFILE: 'nobody',
      GOOGLE_APPLICATION_CREDENTIALS: 'aws-credentials',
    };
    const encrypt = (file: string, more: Readonly<Record<string, string>>): Promise<CliResult> => {
      writeFileSync(join(folder, file), CLEAR);
      return run(['encrypt', '--key-service', AWS_NAME, '--key-service', GCP_KEY, file], more);
    };
    const without = await encrypt('aws.yaml', bare);
    expect(without.stderr).toContain('SOTTO-KEYS-050');
    expect(without.stderr).toContain('aws configure export-credentials');
    const bad = await encrypt('gcp.yaml', bare);
    expect(bad.stderr).toContain('SOTTO-KEYS-051');
    expect(bad.stderr).toContain('gcloud auth print-access-token');
    expect(bad.stderr).not.toContain(AWS_SECRET);
    expect(await encrypt('aws.yaml', { ...bare, AWS_PROFILE: 'work' })).toMatchObject({ exit: 0, stderr: '' });
  });
});
