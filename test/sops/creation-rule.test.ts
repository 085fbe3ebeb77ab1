import { describe, expect, it } from 'vitest';
import { creationRule } from '../../src/sops/creation-rule.ts';
import { newKeyPair, refusal } from './fixtures.ts';

const pgp = (fingerprint: string) => ({ kind: 'pgp', fingerprint });
const age = (recipient: string) => ({ kind: 'age', recipient });
const uri = (name: string): string => `https://vault.example.com/v1/team/transit/keys/${name}`;
const vault = (keyName: string) => ({
  kind: 'vault',
  address: 'https://vault.example.com',
  enginePath: 'team/transit',
  keyName,
});
const [one, two] = [(await newKeyPair()).recipient, (await newKeyPair()).recipient];

describe('the creation rule of a file', () => {
  const config = [
    'creation_rules:',
    '  - path_regex: (?i)^prod/.*\\.yaml$',
    '    encrypted_regex: ^(data|stringData)$',
    '    mac_only_encrypted: true',
    `    age: >-`,
    `      ${one},`,
    `      ${two}`,
    '  - path_regex: groups/',
    `    key_groups: [{age: [${two}]}]`,
    '  - path_regex: kms/',
    '    encrypted_suffix: _x',
    '    hckms: [eu:k]',
    `    age: ${one}`,
    `  - age: [${one}]`,
    'stores: {yaml: {indent: 2}}',
    '',
  ].join('\n');

  it('is the first that matches', () => {
    expect(creationRule(config, 'Prod/db.yaml')).toEqual({
      groups: [[age(one), age(two)]],
      threshold: 1,
      selector: { kind: 'encrypted_regex', value: '^(data|stringData)$' },
      macOnlyEncrypted: true,
    });
    expect(creationRule(config, 'groups/a').groups).toEqual([[age(two)]]);
    expect(creationRule(config, 'other')).toEqual({
      groups: [[age(one)]],
      threshold: 1,
      selector: undefined,
      macOnlyEncrypted: false,
    });
  });

  it('with keys that are not in this version is refused, unless the recipients are replaced', async () => {
    expect(await refusal(() => creationRule(config, 'kms/a'))).toEqual({
      code: 'SOTTO-SOPS-011',
      line: 12,
      key: 'creation_rules.2.hckms',
    });
    const rule = creationRule(config, 'kms/a', { selectorOnly: true });
    expect(rule).toMatchObject({ groups: [], selector: { kind: 'encrypted_suffix', value: '_x' } });
  });

  it('has OpenPGP keys beside age recipients, and key groups with their threshold', () => {
    const [fp, other] = ['C'.repeat(40), `${'A'.repeat(40)}!`];
    const flat = `creation_rules: [{pgp: "${fp}, ${other}", age: ${one}}]`;
    expect(creationRule(flat, 'a').groups).toEqual([[age(one), pgp(fp), pgp(other)]]);
    const group = `{age: [${one}], merge: [{age: [${two}]}, {pgp: [${fp}], merge: [{age: ["${one},${two}"]}]}]}`;
    const grouped = `creation_rules: [{shamir_threshold: 2, key_groups: [${group}, {pgp: [${fp}]}, {age: [${one}]}]}]`;
    expect(creationRule(grouped, 'a')).toMatchObject({
      groups: [[age(two), age(one), pgp(fp)], [pgp(fp)], [age(one)]],
      threshold: 2,
    });
    expect(creationRule(grouped.replace('shamir_threshold: 2', 'shamir_threshold: 0'), 'a').threshold).toBe(3);
  });

  it('has keys of Vault beside other keys, in a rule and in a key group', () => {
    const flat = `creation_rules: [{hc_vault_transit_uri: "${uri('a')}, ${uri('b')}", age: ${one}}]`;
    expect(creationRule(flat, 'f').groups).toEqual([[age(one), vault('a'), vault('b')]]);
    const group = `{hc_vault: ["${uri('a')}"], merge: [{hc_vault: ["${uri('a')}"], age: [${one}]}]}`;
    const grouped = `creation_rules: [{key_groups: [${group}, {hc_vault: ["${uri('b')}"]}]}]`;
    expect(creationRule(grouped, 'f')).toMatchObject({
      groups: [[age(one), vault('a')], [vault('b')]],
      threshold: 2,
    });
  });

  it('has keys of AWS KMS, with role, encryption context and profile, as sops writes them', () => {
    const [arn, role] = ['arn:aws:kms:eu-central-1:1:key/a', 'arn:aws:iam::1:role/team/sops'];
    const key = { kind: 'kms', arn, role: '', context: {}, profile: '' };
    const flat = `creation_rules: [{kms: "${arn}, ${arn}+${role}", aws_profile: p}]`;
    expect(creationRule(flat, 'f').groups).toEqual([
      [
        { ...key, profile: 'p' },
        { ...key, role, profile: 'p' },
      ],
    ]);
    const item = `{arn: "${arn}", role: "${role}", context: {team: app}, aws_profile: p}`;
    const grouped = `creation_rules: [{key_groups: [{kms: [${item}]}, {kms: [{arn: "${arn}"}], age: [${one}]}]}]`;
    expect(creationRule(grouped, 'f').groups).toEqual([
      [{ ...key, role, context: { team: 'app' }, profile: 'p' }],
      [age(one), key],
    ]);
  });

  it('has keys of Google Cloud KMS, as texts and as mappings', () => {
    const resourceId = 'projects/p/locations/global/keyRings/r/cryptoKeys/k';
    for (const keys of [`gcp_kms: ${resourceId}`, `key_groups: [{gcp_kms: [{resource_id: ${resourceId}}]}]`]) {
      expect(creationRule(`creation_rules: [{${keys}}]`, 'f').groups).toEqual([[{ kind: 'gcp_kms', resourceId }]]);
    }
  });

  it('has keys of Azure Key Vault, with their version or without, as texts and as mappings', () => {
    const url = 'https://team.vault.azure.net';
    const key = { kind: 'azure_kv', vaultUrl: url, name: 'k', version: '0a' };
    const flat = `creation_rules: [{azure_keyvault: "${url}/keys/k/0a, ${url}/keys/k"}]`;
    expect(creationRule(flat, 'f').groups).toEqual([[key, { ...key, version: '' }]]);
    const item = `{vaultUrl: "${url}/", key: k, version: 0a}`;
    const grouped = `creation_rules: [{key_groups: [{azure_keyvault: [${item}]}]}]`;
    expect(creationRule(grouped, 'f').groups).toEqual([[{ ...key, vaultUrl: `${url}/` }]]);
  });

  it('is empty where a config has no rules', () => {
    for (const text of ['', '# c\n', 'creation_rules:\n', 'stores: {}\n']) {
      expect(creationRule(text, 'a')).toMatchObject({ groups: [], selector: undefined });
    }
  });

  it.each([
    ['creation_rules: [{path_regex: b}]', 'SOTTO-SOPS-019'],
    ['creation_rules: [{path_regexp: a}]', 'SOTTO-SOPS-020'],
    ['creation_rule: []', 'SOTTO-SOPS-020'],
    ['creation_rules: {}', 'SOTTO-SOPS-020'],
    ['creation_rules: [a]', 'SOTTO-SOPS-020'],
    ['[]', 'SOTTO-SOPS-020'],
    ['creation_rules: [{age: 1}]', 'SOTTO-SOPS-020'],
    ['creation_rules: [{age: age1x}]', 'SOTTO-AGE-007'],
    ['creation_rules: [', 'SOTTO-YAML-001'],
    ['creation_rules: [{path_regex: "("}]', 'SOTTO-SOPS-010'],
    ['creation_rules: [{encrypted_regex: "("}]', 'SOTTO-SOPS-010'],
    ['creation_rules: [{encrypted_regex: a, encrypted_suffix: b}]', 'SOTTO-SOPS-008'],
    ['creation_rules: [{encrypted_comment_regex: (}]', 'SOTTO-SOPS-010'],
    ['creation_rules: [{key_groups: [{age: []}, {age: []}]}]', 'SOTTO-SOPS-020'],
    ['creation_rules: [{hc_vault_transit_uri: vault.example.com/app}]', 'SOTTO-SOPS-020'],
    ['creation_rules: [{key_groups: [{hc_vault: [1]}]}]', 'SOTTO-SOPS-020'],
    ['creation_rules: [{kms: arn}]', 'SOTTO-SOPS-020'],
    ['creation_rules: [{key_groups: [{kms: [{role: r}]}]}]', 'SOTTO-SOPS-020'],
    ['creation_rules: [{key_groups: [{kms: [{arn: a, context: {a: 1}}]}]}]', 'SOTTO-SOPS-020'],
    ['creation_rules: [{gcp_kms: projects/p}]', 'SOTTO-SOPS-020'],
    ['creation_rules: [{azure_keyvault: "https://team.vault.azure.net/k"}]', 'SOTTO-SOPS-020'],
    ['creation_rules: [{key_groups: [{azure_keyvault: [{key: k}]}]}]', 'SOTTO-SOPS-020'],
    ['creation_rules: [{key_groups: [{gcp_kms: [{resource: r}]}]}]', 'SOTTO-SOPS-020'],
    ['creation_rules: [{pgp: alice@example.com}]', 'SOTTO-SOPS-020'],
    ['creation_rules: [{key_groups: [a]}]', 'SOTTO-SOPS-020'],
    ['creation_rules: [{key_groups: [{pgp: [A]}]}]', 'SOTTO-SOPS-020'],
    ['creation_rules: [{key_groups: [{hckms: [k]}]}]', 'SOTTO-SOPS-011'],
    [`creation_rules: [{shamir_threshold: 1, key_groups: [{age: ${one}}, {age: ${two}}]}]`, 'SOTTO-SOPS-020'],
    [`creation_rules: [{shamir_threshold: 3, key_groups: [{age: ${one}}, {age: ${two}}]}]`, 'SOTTO-SOPS-020'],
    [`creation_rules: [{shamir_threshold: "2", key_groups: [{age: ${one}}, {age: ${two}}]}]`, 'SOTTO-SOPS-020'],
  ])('of %s is refused', async (text, code) => {
    expect((await refusal(() => creationRule(text, 'a'))).code).toBe(code);
  });
});
