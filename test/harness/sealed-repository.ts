import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stockOutput } from './stock.ts';

/** Files in clear, in every format that sops has, with what makes each of them hard. */
export const CLEAR_FILES: Readonly<Record<string, string>> = {
  'deploy/db.yaml':
    '# the database\napiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  # who\n  user: admin # may all\n  password: "correct horse"\n  pem: |\n    -----BEGIN X-----\n    abc\n    -----END X-----\n',
  'deploy/two.yaml':
    'apiVersion: v1\nkind: Secret\nmetadata: {name: one}\nstringData: {a: "1", b: two}\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: two\nstringData:\n  c: three\n',
  'deploy/types.yaml': 'count: 3\nratio: 1.5\nyes: true\nnone: null\nempty: ""\nlist:\n- one\n- 2\n- deep: x\n',
  'deploy/flow.yaml': '{a: {b: [x, "y, z"]}}\n',
  'deploy/tls.json': '{\n\t"key": "k/+=",\n\t"nested": {"list": [1, true, "x"]}\n}\n',
  'deploy/one-line.json': '{"a":"b","c":["d"]}\n',
  'deploy/app.env': '# settings\nUSER=admin\nPASSWORD=a=b c\n\nMULTI=one\\ntwo\n',
  'deploy/app.ini': '; top\nroot = 1\n\n[db]\n; the password\npassword = "x;y"\nuser = admin\n',
  'deploy/key.bin': '\u0000\u0001binary\nbytes\n',
  'deploy/empty.bin': '',
  'deploy/unicode.yaml': 'name: "zwölf Bären \\U0001F43B"\ntext: >-\n  folded\n  text\nпароль: секрет\n',
  'deploy/long.yaml': `value: "${'long '.repeat(400)}"\n`,
  'other/config.yaml': 'apiVersion: v1\nkind: ConfigMap\nsecret_key: hush\nplain: visible\n',
};

export function writeAll(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

/** Encrypts them in place, by stock sops and the rules of the folder. */
export async function encryptByStock(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names)
    await stockOutput('sops', ['encrypt', '--in-place', name], { cwd: folder, env: { HOME: folder } });
}

/** What stock sops opens of a file with one identity alone; undefined when it does not open. */
export async function openByStock(folder: string, name: string, identity: string): Promise<Buffer | undefined> {
  return stockOutput('sops', ['decrypt', name], {
    cwd: folder,
    env: { HOME: '/nonexistent', SOPS_AGE_KEY: identity },
  }).catch(() => undefined);
}
