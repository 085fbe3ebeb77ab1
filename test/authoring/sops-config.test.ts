import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withoutRecipient, withRecipient, withReplaced } from '../../src/authoring/sops-config.ts';
import { SottoError } from '../../src/core/errors.ts';
import { readPolicy } from '../../src/sops/policy.ts';

const [A, B, C] = ['age1aaaa', 'age1bbbb', 'age1cccc'];
const age = (text: string) => ({ field: 'age' as const, text });
const FIRST = { rule: 0, group: undefined };
const FILE = '.sops.yaml';

const add = (text: string): string => withRecipient(text, FILE, FIRST, age(C));
const remove = (text: string): string => withoutRecipient(text, FILE, FIRST, age(B));

describe('a recipient in .sops.yaml', () => {
  it.each([
    ['a text', 'creation_rules:\n- age: A # x\n', 'creation_rules:\n- age: A,C # x\n'],
    ['a text with commas', 'creation_rules:\n- age: A, B\n', 'creation_rules:\n- age: A, B, C\n'],
    ['single quotes', "creation_rules:\n- age: 'A,B'\n", "creation_rules:\n- age: 'A,B,C'\n"],
    ['double quotes', 'creation_rules:\n- age: "A"', 'creation_rules:\n- age: "A,C"'],
    [
      'a folded text',
      'creation_rules:\n- age: >-\n    A,\n    B\n  x: 1\n',
      'creation_rules:\n- age: >-\n    A,\n    B,\n    C\n  x: 1\n',
    ],
    [
      'a folded text with one line',
      'creation_rules:\n- age: >-\n    A\n',
      'creation_rules:\n- age: >-\n    A,\n    C\n',
    ],
    ['brackets', 'creation_rules:\n- age: [A, B]\n', 'creation_rules:\n- age: [A, B, C]\n'],
    ['empty brackets', 'creation_rules:\n- age: []\n  pgp: ""\n', 'creation_rules:\n- age: [C]\n  pgp: ""\n'],
    ['a list', 'creation_rules:\n- age:\n  - A # a\n  # end\n', 'creation_rules:\n- age:\n  - A # a\n  - C\n  # end\n'],
    ['a list, indented', 'creation_rules:\n  - age:\n      - A\n', 'creation_rules:\n  - age:\n      - A\n      - C\n'],
    [
      'a list at the end without a line break',
      'creation_rules:\n- age:\n  - A',
      'creation_rules:\n- age:\n  - A\n  - C',
    ],
    [
      'a rule without one',
      'creation_rules:\n- path_regex: x\n  mac_only_encrypted: true\n',
      'creation_rules:\n- path_regex: x\n  mac_only_encrypted: true\n  age: C\n',
    ],
    [
      'a rule in braces',
      'creation_rules:\n- {path_regex: x, age: A}\n',
      'creation_rules:\n- {path_regex: x, age: "A,C"}\n',
    ],
    ['Windows line ends', 'creation_rules:\r\n- age:\r\n  - A\r\n', 'creation_rules:\r\n- age:\r\n  - A\r\n  - C\r\n'],
  ])('is added to %s', (_, before, after) => {
    const added = outcome(() => add(named(before)));
    if (before.includes('{path')) expect(added).toBe('SOTTO-CLI-211');
    else expect(added).toBe(named(after));
  });

  it.each([
    ['a text', `creation_rules:\n- age: ${A},${B} # x\n`, `creation_rules:\n- age: ${A} # x\n`],
    ['the start of a text', `creation_rules:\n- age: ${B}, ${A}\n`, `creation_rules:\n- age: ${A}\n`],
    ['the middle', `creation_rules:\n- age: "${A}, ${B}, ${C}"\n`, `creation_rules:\n- age: "${A}, ${C}"\n`],
    ['a folded text', `creation_rules:\n- age: >-\n    ${A},\n    ${B}\n`, `creation_rules:\n- age: >-\n    ${A}\n`],
    ['brackets', `creation_rules:\n- age: [${B}, ${A}]\n`, `creation_rules:\n- age: [${A}]\n`],
    [
      'a list',
      `creation_rules:\n- age:\n  # a\n  - ${A}\n  # b\n  - ${B} # b\n`,
      `creation_rules:\n- age:\n  # a\n  - ${A}\n  # b\n`,
    ],
  ])('is taken out of %s', (_, before, after) => {
    expect(remove(before)).toBe(after);
  });

  it('is not taken out when nobody would be left', () => {
    expect(outcome(() => remove(`creation_rules:\n- age: ${B}\n`))).toBe('SOTTO-CLI-215');
    expect(outcome(() => remove(`creation_rules:\n- age:\n  - ${B}\n`))).toBe('SOTTO-CLI-215');
  });

  it('is not touched where one text counts at several places', () => {
    const aliased = `keys:\n- &me ${A}\ncreation_rules:\n- age:\n  - *me\n`;
    expect(outcome(() => add(aliased))).toBe('SOTTO-CLI-211');
    expect(outcome(() => withReplaced(aliased, FILE, age(A), B))).toBe('SOTTO-CLI-211');
  });

  it('is replaced in every rule and group, and nowhere else', () => {
    const text = `# ${A}\ncreation_rules:\n- path_regex: ${A}\n  age: ${A}\n- key_groups:\n  - age: [${B}]\n  - age:\n    - ${A} # ${A}\n`;
    expect(withReplaced(text, FILE, age(A), C)).toBe(
      `# ${A}\ncreation_rules:\n- path_regex: ${A}\n  age: ${C}\n- key_groups:\n  - age: [${B}]\n  - age:\n    - ${C} # ${A}\n`,
    );
  });
});

const recipients = fc.uniqueArray(fc.stringMatching(/^age1[a-z0-9]{4,8}$/), { minLength: 2, maxLength: 5 });
const comment = fc.constantFrom('', ' # who', ' # age1xxxx');

/** A field in one of the forms that people write. */
const field = (names: readonly string[]): fc.Arbitrary<string> =>
  fc
    .tuple(fc.constantFrom<string>('text', 'single', 'double', 'folded', 'literal', 'flow', 'list'), comment)
    .map(([form, beside]) => {
      switch (form) {
        case 'text':
          return ` ${names.join(',')}${beside}`;
        case 'single':
          return ` '${names.join(', ')}'${beside}`;
        case 'double':
          return ` "${names.join(' ,')}"${beside}`;
        case 'folded':
          return ` >-${beside}\n      ${names.join(',\n      ')}`;
        case 'literal':
          return ` |\n      ${names.join(',\n      ')},`;
        case 'flow':
          return ` [${names.join(', ')}]${beside}`;
        default:
          return names.map((name) => `\n    # of ${name}\n    - ${name}${beside}`).join('');
      }
    });

const config = recipients.chain((names) =>
  fc.tuple(field(names), field(names), comment).map(([first, second, beside]) => ({
    names,
    text: `# top${beside}\nstores: {}\ncreation_rules:\n  - path_regex: ^a/${beside}\n    age:${first}\n    mac_only_encrypted: true\n  # the second\n  - key_groups:\n    - age:${second.replaceAll('\n', '\n    ')}\n    - age: [${names[0] ?? ''}, age1zzzzzzzzz]\n`,
  })),
);

describe('any .sops.yaml', () => {
  const places = [
    { rule: 0, group: undefined },
    { rule: 1, group: 0 },
    { rule: 1, group: 1 },
  ];

  it('says what was asked for after an addition, and is the same text again once that is taken out', () => {
    fc.assert(
      fc.property(config, fc.constantFrom(...places), ({ text }, place) => {
        const name = 'age1newnewnew';
        const added = withRecipient(text, FILE, place, age(name));
        expect(groupsOf(added)[place.rule]?.[place.group ?? 0]).toContain(name);
        const again = withoutRecipient(added, FILE, place, age(name));
        expect(groupsOf(again)).toEqual(groupsOf(text));
        expect(commentsOf(again)).toEqual(commentsOf(text));
      }),
    );
  });

  it('loses one recipient and no comment', () => {
    fc.assert(
      fc.property(config, fc.nat(4), fc.constantFrom(...places.slice(0, 2)), ({ text, names }, index, place) => {
        const name = names[index % names.length] ?? '';
        const removed = withoutRecipient(text, FILE, place, age(name));
        const [before, after] = [groupsOf(text), groupsOf(removed)];
        expect(after[place.rule]?.[place.group ?? 0]).toEqual(
          before[place.rule]?.[place.group ?? 0]?.filter((each) => each !== name),
        );
        const own = removed.split('\n').filter((line) => line.trimStart().startsWith('#'));
        expect(own).toEqual(text.split('\n').filter((line) => line.trimStart().startsWith('#')));
      }),
    );
  });

  it('differs only in the one text after a replacement', () => {
    fc.assert(
      fc.property(config, fc.nat(4), ({ text, names }, index) => {
        const name = names[index % names.length] ?? '';
        const replaced = withReplaced(text, FILE, age(name), 'age1newnewnew');
        expect(groupsOf(replaced)).toEqual(
          groupsOf(text).map((groups) =>
            groups.map((keys) => keys.map((key) => (key === name ? 'age1newnewnew' : key)).toSorted()),
          ),
        );
        expect(commentsOf(replaced)).toEqual(commentsOf(text));
      }),
    );
  });

  it('ends in a changed text or a code, whatever it holds', () => {
    const broken = fc.oneof(
      fc.string(),
      config.chain(({ text }) => fc.nat(text.length).map((at) => text.slice(0, at))),
    );
    fc.assert(
      fc.property(broken, (text) => {
        expect(outcome(() => add(text))).toMatch(/^SOTTO-|age1/);
      }),
    );
  });
});

function named(text: string): string {
  return text.replace(/\b[ABC]\b/g, (name) => ({ A, B, C })[name] ?? name);
}

function groupsOf(text: string): string[][][] {
  return readPolicy(text, FILE).rules.map(({ groups }) => groups.map((keys) => keys.toSorted()));
}

function commentsOf(text: string): string[] {
  return text.match(/#.*/g) ?? [];
}

function outcome(change: () => string): string {
  try {
    return change();
  } catch (thrown) {
    if (thrown instanceof SottoError) return thrown.code;
    throw thrown;
  }
}
