import type { AwsKey } from '../sops/service-key.ts';

/** The domain of each partition of AWS. */
const DOMAINS: ReadonlyMap<string, string> = new Map([
  ['aws', 'amazonaws.com'],
  ['aws-us-gov', 'amazonaws.com'],
  ['aws-cn', 'amazonaws.com.cn'],
  ['aws-eusc', 'amazonaws.eu'],
  ['aws-iso', 'c2s.ic.gov'],
  ['aws-iso-b', 'sc2s.sgov.gov'],
  ['aws-iso-e', 'cloud.adc-e.uk'],
  ['aws-iso-f', 'csp.hci.ic.gov'],
]);

const KEY = /^arn:(aws[a-z-]{0,20}):kms:([a-z0-9-]{1,40}):\d{1,20}:(?:key|alias)\/[\w/-]{1,256}$/;
const ROLE = /^arn:aws[a-z-]{0,20}:iam::\d{1,20}:role\/[\w+=,.@/-]{1,600}$/;

export function isAwsKeyArn(text: string): boolean {
  return KEY.test(text);
}

export function isAwsRoleArn(text: string): boolean {
  return ROLE.test(text);
}

/** Where a key lies. */
export interface AwsPlace {
  readonly region: string;
  readonly domain: string;
}

/** A text says why there is none. */
export function awsPlaceOf({ arn, role }: AwsKey): AwsPlace | string {
  const [, partition = '', region] = KEY.exec(arn) ?? [];
  if (region === undefined) return 'it is not of the form arn:aws:kms:REGION:ACCOUNT:key/ID';
  if (role !== '' && !ROLE.test(role)) return 'its role is not of the form arn:aws:iam::ACCOUNT:role/NAME';
  const domain = DOMAINS.get(partition);
  return domain === undefined ? `the partition ${partition} of AWS is not known` : { region, domain };
}
