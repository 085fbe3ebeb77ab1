import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { fileFormat } from '../../src/cli/file-format.ts';
import { SottoError } from '../../src/core/errors.ts';
import type { KeyServices } from '../../src/services/key-services.ts';
import { type AwsKmsRule, NO_SERVICES } from '../../src/services/rules.ts';
import { decryptFile } from '../../src/sops/change.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import type { AwsKey } from '../../src/sops/service-key.ts';
import { type Aws, AWS_ARN, AWS_ID, AWS_ROLE, AWS_SECRET, startAws } from '../harness/aws.ts';
import { describeReal } from '../harness/real.ts';
import { awsCredential, CLEARS, keyServices, openedText, refusalOf, serviceRecipient } from '../harness/services.ts';
import { stockOutput } from '../harness/stock.ts';

const KEY: AwsKey = { kind: 'kms', arn: AWS_ARN, role: '', context: {}, profile: '' };

const at = ({ address }: Aws, role = ''): AwsKmsRule => ({
  arn: AWS_ARN,
  role,
  endpoint: address,
  stsEndpoint: address,
});
const services = (awsKms: readonly AwsKmsRule[], secret = AWS_SECRET): KeyServices =>
  keyServices({ ...NO_SERVICES, awsKms }, [awsCredential(AWS_ID, secret)]);

describeReal('AWS KMS', ['sops'], () => {
  let folder: string;
  let aws: Aws;
  let awsForRole: Aws;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sotto-aws-'));
    aws = await startAws();
    awsForRole = await startAws({ needsRole: true });
  });
  afterAll(async () => {
    await aws[Symbol.asyncDispose]();
    await awsForRole[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    for (const each of [aws, awsForRole]) {
      each.seen.length = 0;
      each.troubles.length = 0;
    }
  });

  const stock = ({ address }: Aws) => ({
    env: {
      HOME: folder,
      AWS_ACCESS_KEY_ID: AWS_ID,
      AWS_SECRET_ACCESS_KEY: AWS_SECRET,
      AWS_ENDPOINT_URL_KMS: address,
      AWS_ENDPOINT_URL_STS: address,
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    cwd: folder,
  });
  const byStock = async (of: Aws, args: readonly string[]): Promise<string> => {
    writeFileSync(join(folder, 'f.yaml'), CLEARS.yaml);
    await stockOutput('sops', ['encrypt', '-i', ...args, 'f.yaml'], stock(of));
    return readFileSync(join(folder, 'f.yaml'), 'utf8');
  };

  it('opens what stock sops wrote', async () => {
    const text = await byStock(aws, ['--kms', AWS_ARN]);
    expect(await openedText(text, services([at(aws)]))).toBe(CLEARS.yaml);
    expect(aws.seen).toEqual(['kms Encrypt', 'kms Decrypt']);
  });

  it('opens what stock sops wrote with a role and an encryption context', async () => {
    const args = ['--kms', `${AWS_ARN}+${AWS_ROLE}`, '--encryption-context', 'team:app,stage:prod'];
    const text = await byStock(awsForRole, args);
    const by = services([at(awsForRole, AWS_ROLE)]);
    expect(await openedText(text, by)).toBe(CLEARS.yaml);
    // The session is kept for the next file.
    expect(await openedText(text, by)).toBe(CLEARS.yaml);
    expect(awsForRole.seen.slice(2)).toEqual(['sts AssumeRole', 'kms Decrypt', 'kms Decrypt']);
    const moved = await refusalOf(openedText(text.replace('stage: prod', 'stage: test'), by));
    expect(moved).toMatchObject({ code: 'SOTTO-SOPS-072', place: { line: 4, key: 'sops.kms' } });
    expect(moved.text()).toContain('not with this encryption context');
  });

  it.each(['yaml', 'json', 'ini', 'env', 'txt'])(
    'wraps what stock sops opens, and what it rotated opens again: %s',
    async (ending) => {
      const key: AwsKey = { ...KEY, role: AWS_ROLE, context: { 'the team': 'app: "ä"', no: '1' } };
      const by = services([at(awsForRole, AWS_ROLE)]);
      const file = `g.${ending}`;
      const format = fileFormat(file, {});
      const recipients = { groups: [[serviceRecipient(key, by)]], threshold: 1 };
      const clear = Buffer.from(CLEARS[format]);
      writeFileSync(join(folder, file), await encryptFile(clear, { format, file, recipients, now: new Date() }));
      expect((await stockOutput('sops', ['decrypt', file], stock(awsForRole))).toString()).toBe(CLEARS[format]);
      await stockOutput('sops', ['rotate', '-i', file], stock(awsForRole));
      using again = await decryptFile(readFileSync(join(folder, file), 'utf8'), format, file, [by]);
      expect(Buffer.from(again.reveal()).toString()).toBe(CLEARS[format]);
    },
  );

  it('is not connected to for another key, or another role', async () => {
    const text = await byStock(aws, ['--kms', AWS_ARN]);
    const before = aws.connections();
    for (const rules of [[], [{ ...at(aws), arn: `${AWS_ARN}0` }], [at(aws, AWS_ROLE)], [at(aws, `${AWS_ROLE}2`)]]) {
      const error = await refusalOf(openedText(text, services(rules)));
      expect(error).toMatchObject({ code: 'SOTTO-SOPS-070', place: { file: 'f.yaml', line: 4, key: 'sops.kms' } });
      expect(error.text()).toContain(`decryption: { awsKms: [ { arn: "${AWS_ARN}" } ] }`);
    }
    const asRole = text.replace(/^( *)- arn: .*$/m, `$&\n$1  role: ${AWS_ROLE}`);
    const error = await refusalOf(openedText(asRole, services([at(aws)])));
    expect(error.text()).toContain(`decryption: { awsKms: [ { arn: "${AWS_ARN}", role: "${AWS_ROLE}" } ] }`);
    const damaged = await refusalOf(openedText(text.replace(/enc: .*/, 'enc: "no base64"'), services([at(aws)])));
    expect(damaged.code).toBe('SOTTO-AGE-005');
    expect(aws.connections()).toBe(before);
  });

  it('is said to refuse, to be busy, or to give no role, without a word of what it wrote', async () => {
    const text = await byStock(aws, ['--kms', AWS_ARN]);
    const wrong = await refusalOf(openedText(text, services([at(aws)], 'wrong/secret')));
    expect(wrong).toMatchObject({ code: 'SOTTO-SOPS-072' });
    expect(wrong.text()).toContain('does not fit its id');
    aws.troubles.push({ of: 'kms', status: 400, body: '{"__type":"ThrottlingException","message":"hunter2"}' });
    const busy = services([at(aws)]);
    expect((await refusalOf(openedText(text, busy))).code).toBe('SOTTO-SOPS-071');
    // It is left alone then.
    const asked = aws.seen.length;
    expect((await refusalOf(openedText(text, busy))).code).toBe('SOTTO-SOPS-071');
    expect(aws.seen.length).toBe(asked);

    const ofRole = await byStock(awsForRole, ['--kms', `${AWS_ARN}+${AWS_ROLE}`]);
    for (const [body, why] of [
      ['<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>', 'may not take it on'],
      ['hunter2', '(403)'],
    ] as const) {
      awsForRole.troubles.push({ of: 'sts', status: 403, body });
      const denied = await refusalOf(openedText(ofRole, services([at(awsForRole, AWS_ROLE)])));
      expect(denied).toMatchObject({ code: 'SOTTO-SOPS-075', place: { line: 4, key: 'sops.kms' } });
      expect(denied.text()).toContain(why);
      expect(denied.text()).not.toContain('hunter2');
    }
    expect(awsForRole.seen.filter((each) => each === 'kms Decrypt')).toEqual([]);
    for (const error of [wrong, await refusalOf(openedText(text, busy))]) {
      expect(error).toBeInstanceOf(SottoError);
      expect(error.text()).not.toMatch(/hunter2|wrong\/secret|EXAMPLEKEY/);
    }
  });
});
