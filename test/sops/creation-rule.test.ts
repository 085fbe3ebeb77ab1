import { describe, expect, it } from 'vitest';
import { creationRule } from '../../src/sops/creation-rule.ts';
import { newKeyPair, refusal } from './fixtures.ts';

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
    '  - path_regex: pgp/',
    '    encrypted_suffix: _x',
    '    pgp: 1234',
    `    age: ${one}`,
    `  - age: [${one}]`,
    'stores: {yaml: {indent: 2}}',
    '',
  ].join('\n');

  it('is the first that matches', () => {
    expect(creationRule(config, 'Prod/db.yaml')).toEqual({
      recipients: [one, two],
      services: [],
      selector: { kind: 'encrypted_regex', value: '^(data|stringData)$' },
      macOnlyEncrypted: true,
    });
    expect(creationRule(config, 'groups/a').recipients).toEqual([two]);
    expect(creationRule(config, 'other')).toEqual({
      recipients: [one],
      services: [],
      selector: undefined,
      macOnlyEncrypted: false,
    });
  });

  it('with keys that are not in this version is refused, unless the recipients are replaced', async () => {
    expect(await refusal(() => creationRule(config, 'pgp/a'))).toEqual({
      code: 'SOTTO-SOPS-011',
      line: 12,
      key: 'creation_rules.2.pgp',
    });
    const rule = creationRule(config, 'pgp/a', { selectorOnly: true });
    expect(rule).toMatchObject({ recipients: [], selector: { kind: 'encrypted_suffix', value: '_x' } });
  });

  it('is empty where a config has no rules', () => {
    for (const text of ['', '# c\n', 'creation_rules:\n', 'stores: {}\n']) {
      expect(creationRule(text, 'a')).toMatchObject({ recipients: [], selector: undefined });
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
    ['creation_rules: [{encrypted_comment_regex: a}]', 'SOTTO-SOPS-009'],
    ['creation_rules: [{key_groups: [{age: []}, {age: []}]}]', 'SOTTO-SOPS-011'],
    ['creation_rules: [{kms: arn}]', 'SOTTO-SOPS-011'],
  ])('of %s is refused', async (text, code) => {
    expect((await refusal(() => creationRule(text, 'a'))).code).toBe(code);
  });
});
