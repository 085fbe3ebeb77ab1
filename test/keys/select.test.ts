import { describe, expect, it } from 'vitest';
import type { SecretMark } from '../../src/keys/key-secret.ts';
import { isKeySecret, type KeyRules, namedKeySecrets, selectKeySecrets } from '../../src/keys/select.ts';

const STOCK = 'sealedsecrets.bitnami.com/sealed-secrets-key';
const rules: KeyRules = {
  decryption: { secretNames: ['sops-age', 'shared'] },
  sealing: { secretNames: ['brought'] },
  syncs: [{ decryption: { secretNames: ['own', 'shared'] } }],
};

function mark(name: string, labels: Record<string, string> = {}): SecretMark {
  return { name, labels, annotations: {} };
}

describe('selectKeySecrets', () => {
  it('names the Secrets to read, and nothing else of the namespace', () => {
    const secrets = [
      mark('sops-age'),
      mark('brought'),
      mark('own'),
      mark('mine', { 'sotto.dev/use': 'keys' }),
      mark('git-auth', { 'sotto.dev/use': 'git' }),
      mark('sealed1', { [STOCK]: 'active' }),
      mark('sealed2', { [STOCK]: 'compromised' }),
      mark('db'),
    ];
    expect(selectKeySecrets(secrets, rules)).toEqual(['brought', 'mine', 'own', 'sealed1', 'sops-age']);
  });

  it('is not taken in by labels that only JavaScript has', () => {
    const labels: Record<string, string> = Object.create({ 'sotto.dev/use': 'keys' });
    expect(isKeySecret(mark('x', labels), rules)).toBe(false);
  });

  it('lists every named Secret once', () => {
    expect(namedKeySecrets(rules)).toEqual(['brought', 'own', 'shared', 'sops-age']);
  });
});
