import { describe, expect, it } from 'vitest';
import { compareWithRule, readPolicy, ruleFor } from '../../src/sops/policy.ts';

const FINGERPRINT = '0123456789ABCDEF0123456789ABCDEF01234567';

describe('the rules of .sops.yaml', () => {
  it('name keys of every kind as the files do', () => {
    const { rules } = readPolicy(
      [
        'creation_rules:',
        '- path_regex: \\.yaml$',
        '  age: age1a, age1b',
        `  pgp: "${FINGERPRINT.toLowerCase()}"`,
        '  kms: arn:aws:kms:eu-west-1:1:key/x+arn:aws:iam::1:role/y',
        '  gcp_kms: projects/p/locations/l/keyRings/r/cryptoKeys/k',
        '  azure_keyvault: https://v.vault.azure.net/keys/k',
        '  hc_vault_transit_uri: https://vault.example.com:8200/v1/sops/keys/first',
        '- shamir_threshold: 2',
        '  key_groups:',
        '  - kms: [{ arn: "arn:aws:kms:eu-west-1:1:key/x", role: "arn:aws:iam::1:role/y", context: { a: b } }]',
        '  - azure_keyvault: [{ vaultUrl: "https://v.vault.azure.net", key: k, version: v1 }]',
        '    hc_vault: ["https://vault.example.com:8200/v1/sops/keys/first"]',
        '  - merge: [{ age: [age1c] }]',
        '    gcp_kms: [{ resource_id: projects/p }]',
      ].join('\n'),
      '.sops.yaml',
    );
    expect(rules.map(({ groups, threshold }) => ({ groups, threshold }))).toEqual([
      {
        groups: [
          [
            'age1a',
            'age1b',
            `pgp ${FINGERPRINT}`,
            'kms arn:aws:kms:eu-west-1:1:key/x+arn:aws:iam::1:role/y',
            'gcp_kms projects/p/locations/l/keyRings/r/cryptoKeys/k',
            'azure_kv https://v.vault.azure.net/keys/k',
            'hc_vault https://vault.example.com:8200/v1/sops/keys/first',
          ],
        ],
        threshold: 1,
      },
      {
        groups: [
          ['kms arn:aws:kms:eu-west-1:1:key/x+arn:aws:iam::1:role/y'],
          [
            'azure_kv https://v.vault.azure.net/keys/k/v1',
            'hc_vault https://vault.example.com:8200/v1/sops/keys/first',
          ],
          ['age1c', 'gcp_kms projects/p'],
        ],
        threshold: 2,
      },
    ]);
  });

  it('speak of a file by the first that matches', () => {
    const policy = readPolicy('creation_rules:\n- path_regex: ^a/\n  age: age1a\n- age: age1b\n', '.sops.yaml');
    expect(ruleFor(policy, 'a/x.yaml')?.number).toBe(1);
    expect(ruleFor(policy, 'b/x.yaml')?.number).toBe(2);
  });
});

describe('a file compared with its rule', () => {
  const rule = { groups: [['age1a', 'age1b']], threshold: 1 };

  it('has planted and missing recipients', () => {
    expect(compareWithRule({ groups: [['age1x', 'age1a']], threshold: 1 }, rule)).toEqual({
      planted: ['age1x'],
      missing: ['age1b'],
      layout: undefined,
    });
  });

  it('is compared group by group, and with the threshold', () => {
    const groups = { groups: [['age1a'], ['age1b']], threshold: 2 };
    expect(compareWithRule({ groups: [['age1b'], ['age1a']], threshold: 1 }, groups)).toEqual({
      planted: ['age1b', 'age1a'],
      missing: ['age1a', 'age1b'],
      layout: '1 of 2 key groups open the file, the rule wants 2',
    });
    expect(compareWithRule({ groups: [['age1a', 'age1b']], threshold: 1 }, groups).layout).toBe(
      'the file has one group of keys, the rule 2 key groups',
    );
  });

  it('may name the version of an Azure key that the rule leaves away', () => {
    const azure = { groups: [['azure_kv https://v/keys/k']], threshold: 1 };
    expect(compareWithRule({ groups: [['azure_kv https://v/keys/k/v1']], threshold: 1 }, azure).planted).toEqual([]);
    expect(compareWithRule({ groups: [['azure_kv https://v/keys/k2/v1']], threshold: 1 }, azure).planted).toHaveLength(
      1,
    );
  });
});

function text(pattern: string): string {
  return `creation_rules:\n- path_regex: ${pattern}\n  age: age1a\n`;
}

describe('patterns of rules that take too long', () => {
  const why = { code: 'SOTTO-SOPS-010', why: 'matching it takes too long' };

  it('are refused where they stand, each by its own cap', () => {
    const policy = readPolicy(text('(a?a?a?a?a?a?a?a?){100}z'), '.sops.yaml');
    expect(() => ruleFor(policy, 'a'.repeat(60_000))).toThrow(expect.objectContaining(why));
  });

  it('are refused together, to be compiled and to be matched, where they share what they may take', () => {
    const work = { left: 5_000 };
    const policies = ['a', 'b'].map((name) => readPolicy(text(`^${name}$`), `${name}/.sops.yaml`, work));
    expect(policies.map((policy) => ruleFor(policy, 'a')?.number)).toEqual([1, undefined]);
    const match = (): unknown[] => policies.map((policy) => ruleFor(policy, 'x'.repeat(10_000)));
    expect(match).toThrow(expect.objectContaining(why));
    expect(() => readPolicy(text('c{200}'), 'c/.sops.yaml', work)).toThrow(expect.objectContaining(why));
  });
});
