import type { WholeFormat } from './scalar.ts';

const HELLO = 'Welcome to SOPS! Edit this file as you please!';

const YAML = `hello: ${HELLO}
example_key: example_value
# Example comment
example_array:
    - example_value1
    - example_value2
example_number: 1234.56789
example_booleans:
    - true
    - false
`;

const JSON_TEXT = `{
\t"hello": "${HELLO}",
\t"example_key": "example_value",
\t"example_array": [
\t\t"example_value1",
\t\t"example_value2"
\t],
\t"example_number": 1234.56789,
\t"example_booleans": [
\t\ttrue,
\t\tfalse
\t]
}
`;

const DOTENV = `# This is an example file.
hello=${HELLO}
example_key=example_value
example_multiline=foo\\nbar\\nbaz
`;

const INI = `; This is an example file.
[Welcome!]
hello       = ${HELLO}
example_key = example_value
`;

const EXAMPLES: Readonly<Record<WholeFormat, string>> = {
  yaml: YAML,
  json: JSON_TEXT,
  dotenv: DOTENV,
  ini: INI,
  binary: HELLO,
};

/** What sops puts before a person who edits a file that does not exist yet. */
export function exampleOf(format: WholeFormat): string {
  return EXAMPLES[format];
}
