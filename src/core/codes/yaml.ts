import type { CodeEntry } from './entry.ts';

export const YAML_CODES = {
  'SOTTO-YAML-001': {
    title: 'The document is not valid YAML',
    explain: 'The parser stopped at the line named. Nothing of this file is applied until it is mended.',
  },
  'SOTTO-YAML-002': {
    title: 'The file is not UTF-8 text',
    explain: 'Manifests are read as UTF-8. Save the file as UTF-8, or name it in .sourceignore if it is no manifest.',
  },
  'SOTTO-YAML-003': {
    title: 'YAML is nested too deeply',
    explain:
      'Nesting is capped so that a hostile file cannot exhaust the agent. No Kubernetes object needs that depth.',
  },
  'SOTTO-YAML-004': {
    title: 'The file has too many documents',
    explain:
      'Documents of one file are capped so that a hostile file cannot exhaust the agent. Split the file into several.',
  },
  'SOTTO-YAML-005': {
    title: 'A document has too many nodes',
    explain:
      'Nodes are counted after aliases are expanded, so that a small file cannot grow without bound. Write the values out or split the document.',
  },
  'SOTTO-YAML-006': {
    title: 'A document has too many aliases',
    explain: 'Aliases of one document are capped. Write the values out instead of referring to them.',
  },
  'SOTTO-YAML-007': {
    title: 'An alias names no anchor',
    explain: 'An alias (*name) must come after its anchor (&name), in the same document, and not inside of it.',
  },
  'SOTTO-YAML-008': {
    title: 'A key occurs twice in one mapping',
    explain:
      'Keys are compared as kubectl reads them, so `yes` and `true` are the same key. kubectl would silently take the last one; sotto refuses.',
  },
  'SOTTO-YAML-009': {
    title: 'A key is not usable as a key',
    explain: 'Keys of manifests are strings, booleans or numbers. Null, lists and mappings cannot be keys.',
  },
  'SOTTO-YAML-010': {
    title: 'A number is not finite',
    explain: '.inf and .nan have no form in JSON, so the API server cannot take them. Quote the text if it is meant.',
  },
  'SOTTO-YAML-011': {
    title: 'A value does not fit its tag',
    explain: 'The tag (!!int, !!bool, !!binary and so on) promises a type that the text after it does not have.',
  },
  'SOTTO-YAML-012': {
    title: 'A merge key has no mapping to merge',
    explain: 'The value of << must be a mapping or a list of mappings, usually an alias of one.',
  },
  'SOTTO-YAML-013': {
    title: 'The file is not valid JSON',
    explain: 'The reader stopped at the line named. Nothing of this file is applied until it is mended.',
  },
  'SOTTO-YAML-014': {
    title: 'The aliases of a file stand for too much',
    explain:
      'An alias is read as a copy of what it stands for. A long text behind many aliases, or many documents with a few each, would take a small file to gigabytes of memory, so what all aliases of a file stand for together is bounded.',
  },
} as const satisfies Record<string, CodeEntry>;
