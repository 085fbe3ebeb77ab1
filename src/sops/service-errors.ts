import { SottoError } from '../core/errors.ts';
import { type ServiceKey, serviceKeyTitle } from './service-key.ts';

/** Whoever writes a file may name any service in it; so the file alone makes nobody call one. */
export function notAllowed(key: ServiceKey, next: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-070',
    what: 'the key service that the file names is not allowed',
    why: `${serviceKeyTitle(key)} is not among the services that may be called; no connection was made`,
    next,
  });
}

/** The line that allows a service in sotto.yaml. */
export function settingsLine(key: ServiceKey): string {
  return `if the service is yours, add to sotto.yaml: decryption: { ${ruleOf(key)} }`;
}

function ruleOf(key: ServiceKey): string {
  const text = JSON.stringify;
  switch (key.kind) {
    case 'vault':
      return `vault: [ { address: ${text(key.address)} } ]`;
    case 'kms':
      return `awsKms: [ { arn: ${text(key.arn)}${key.role === '' ? '' : `, role: ${text(key.role)}`} } ]`;
    case 'gcp_kms':
      return `gcpKms: [ { resourceId: ${text(key.resourceId)} } ]`;
    case 'azure_kv':
      return `azureKeyVault: [ { vaultUrl: ${text(key.vaultUrl.replace(/\/$/, ''))} } ]`;
    default:
      return key satisfies never;
  }
}
