import { dirname, relative } from 'node:path';
import { type Coverage, coverageOf } from '../../authoring/coverage.ts';
import { SottoError } from '../../core/errors.ts';
import { type Policy, readPolicy } from '../../sops/policy.ts';
import type { Surroundings } from '../context.ts';
import { findConfig } from '../creation-rules.ts';
import { type InputFile, readInput, textOf } from '../files.ts';
import { filesBelow, sealedFiles } from '../sealed-files.ts';

/** A .sops.yaml, and what it says. */
export interface PolicyFile {
  readonly input: InputFile;
  readonly folder: string;
  readonly text: string;
  readonly policy: Policy;
}

/** The policy in force here. Throws SottoError. */
export async function policyHere(around: Surroundings): Promise<PolicyFile> {
  const path = await findConfig(around);
  if (path === undefined) throw noPolicy();
  const read = await readInput(around, path);
  const input = { ...read, name: relative(around.cwd, path) };
  const text = textOf(input);
  return { input, folder: dirname(path), text, policy: readPolicy(text, input.name) };
}

/** The SOPS files below the .sops.yaml. A folder with one of its own is the affair of that one. */
export async function coveredFiles(around: Surroundings, { folder, policy }: PolicyFile): Promise<Coverage[]> {
  const paths = await filesBelow(around, folder);
  const others = paths
    .filter((path) => path.endsWith('/.sops.yaml'))
    .map((path) => path.slice(0, -'.sops.yaml'.length));
  const ours = paths.filter((path) => path !== '.sops.yaml' && !others.some((other) => path.startsWith(other)));
  const sealed = await sealedFiles(around, folder, ours);
  return sealed.map((file) => coverageOf(file, policy));
}

function noPolicy(): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-212',
    what: 'there is no .sops.yaml',
    why: 'it says for whom files are encrypted, and neither the working directory nor a folder above it has one',
    next: "printf 'creation_rules:\\n- age: %s\\n' age1… > .sops.yaml in the root of the repository, then the same command again",
  });
}
