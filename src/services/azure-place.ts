import { originOf } from './rules.ts';

/** A cloud of Azure. */
export interface AzureCloud {
  /** Where tokens come from. */
  readonly login: string;
  /** What a token is for. */
  readonly resource: string;
}

const [PUBLIC, CHINA, GOVERNMENT] = [
  'https://login.microsoftonline.com',
  'https://login.chinacloudapi.cn',
  'https://login.microsoftonline.us',
] as const;

const CLOUDS: ReadonlyMap<string, string> = new Map([
  ['vault.azure.net', PUBLIC],
  ['managedhsm.azure.net', PUBLIC],
  ['vault.azure.cn', CHINA],
  ['managedhsm.azure.cn', CHINA],
  ['vault.usgovcloudapi.net', GOVERNMENT],
  ['managedhsm.usgovcloudapi.net', GOVERNMENT],
]);

const LOOPBACK = /^(?:127\.0\.0\.1|localhost|\[::1\])$/;

/** The cloud in which a vault is, by its name; undefined for one that is not of Azure. This machine counts as the public one. */
export function azureCloudOf(vaultUrl: string): AzureCloud | undefined {
  const origin = originOf(vaultUrl);
  if (origin === undefined) return undefined;
  const { hostname } = new URL(origin);
  if (LOOPBACK.test(hostname)) return { login: PUBLIC, resource: 'https://vault.azure.net' };
  const [, domain = ''] = /^[a-z0-9-]+\.(.+)$/.exec(hostname) ?? [];
  const login = CLOUDS.get(domain);
  return login === undefined ? undefined : { login, resource: `https://${domain}` };
}
