import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { type Rotating, rotating } from './rotation.ts';
import { CLEAR_FILES, encryptByStock } from './sealed-repository.ts';
import { type AgeKeyPair, newAgeKeyPair, stockOutput } from './stock.ts';

/** A part of the repository with a .sops.yaml of its own. */
interface Part {
  readonly folder: string;
  readonly copies: number;
  readonly rules: string;
  /** As somebody with Windows has committed it. */
  readonly isCrlf: boolean;
}

/** Hundreds of files in every format, under rules of every form, and SealedSecrets of every scope. */
export interface MixedRepository extends Disposable {
  readonly at: Rotating;
  /** Encrypted for the old key; those below `groups/` in two key groups, the other of which is `second`. */
  readonly sops: readonly string[];
  readonly policies: readonly string[];
  readonly sealed: readonly string[];
  readonly second: AgeKeyPair;
  readonly reader: AgeKeyPair;
}

export const SCOPES = ['strict', 'namespace-wide', 'cluster-wide'] as const;

/** sops reads a carriage return at the end of a line of dotenv as something else than a line end. */
const NOT_CRLF = /\.env$/;

export async function mixedRepository(): Promise<MixedRepository> {
  const at = await rotating({ files: {} });
  const [second, reader] = [await newAgeKeyPair(), await newAgeKeyPair()];
  const sops: string[] = [];
  const parts = partsFor(at.old.recipient, second.recipient, reader.recipient);
  for (const part of parts) {
    at.write(join(part.folder, '.sops.yaml'), part.rules);
    const names: string[] = [];
    for (let copy = 1; copy <= part.copies; copy += 1) {
      for (const [name, text] of Object.entries(CLEAR_FILES)) {
        if (part.isCrlf && NOT_CRLF.test(name)) continue;
        names.push(`${copy}/${name}`);
        at.write(`${part.folder}/${copy}/${name}`, valuesOf(text, `${part.folder}${copy}`));
      }
    }
    await encryptByStock(join(at.root, part.folder), names);
    for (const name of names) {
      const path = `${part.folder}/${name}`;
      if (part.isCrlf) at.write(path, withCrlf(readFileSync(join(at.root, path), 'utf8')));
      sops.push(path);
    }
  }
  const sealed = await sealedFiles(at);
  const policies = ['.sops.yaml', ...parts.map(({ folder }) => `${folder}/.sops.yaml`)];
  return { at, sops, policies, sealed, second, reader, [Symbol.dispose]: () => at[Symbol.dispose]() };
}

function partsFor(old: string, second: string, reader: string): readonly Part[] {
  const perPath = `creation_rules:\n# settings\n- path_regex: \\.(env|ini)$\n  age: >-\n    ${old},\n    ${reader}\n- path_regex: deploy/.*\\.yaml$\n  encrypted_regex: ^(data|stringData|password|value|a)$\n  mac_only_encrypted: true\n  age: [ "${old}", '${reader}' ] # both\n- age: ${reader}, ${old}\n`;
  const groups = `creation_rules:\n- shamir_threshold: 2\n  key_groups:\n  - age:\n    - ${old} # the agent\n    - ${reader}\n  - age: [ ${second} ]\n`;
  return [
    { folder: 'one', copies: 10, rules: `creation_rules:\n- age: ${old}\n`, isCrlf: false },
    { folder: 'paths', copies: 6, rules: perPath, isCrlf: false },
    { folder: 'groups', copies: 5, rules: groups, isCrlf: false },
    { folder: 'crlf', copies: 5, rules: withCrlf(`creation_rules:\n- age: ${old} # ours\n`), isCrlf: true },
  ];
}

/** Values that no other file has, so that one which lands in another file is seen. */
function valuesOf(text: string, mark: string): string {
  return text.replaceAll(/admin|horse|hush|binary|folded|three|two|k\/\+=|"b"|y, z/g, (word) =>
    word.endsWith('"') ? `"b ${mark}"` : `${word} ${mark}`,
  );
}

function withCrlf(text: string): string {
  return text.replaceAll(/\r?\n/g, '\r\n');
}

/** Each value says where it stands. */
export async function sealedByStock(
  { outside, folder }: Pick<Rotating, 'outside' | 'folder'>,
  certificate: string,
  place: { readonly name: string; readonly namespace: string; readonly scope: (typeof SCOPES)[number] },
  format: 'yaml' | 'json' = 'yaml',
): Promise<string> {
  const { name, namespace, scope } = place;
  const stringData = { password: `of ${name}`, 'multi.line': `first ${name}\nsecond\n`, empty: '' };
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData };
  const args = ['--cert', outside(certificate), '--scope', scope, '--format', format];
  const text = (await stockOutput('kubeseal', args, { stdin: JSON.stringify(secret), cwd: folder })).toString();
  return text.replace(/^---\n/, '');
}

async function sealedFiles(at: Rotating): Promise<string[]> {
  const paths: string[] = [];
  const write = (path: string, text: string): void => {
    at.write(path, text);
    paths.push(path);
  };
  for (let copy = 1; copy <= 6; copy += 1) {
    const documents: string[] = [];
    for (const scope of SCOPES) {
      const place = { name: `${scope}-${copy}`, namespace: 'team', scope };
      documents.push(`# ${scope}\n${(await sealedByStock(at, 'old.pem', place)).trimEnd()}\n`);
      const json = { ...place, name: `json-${place.name}` };
      write(`sealed/${copy}/${scope}.json`, await sealedByStock(at, 'old.pem', json, 'json'));
    }
    const all = documents.join('---\n');
    write(`sealed/${copy}/all.yaml`, copy % 2 === 0 ? withCrlf(all) : all);
  }
  return paths;
}
