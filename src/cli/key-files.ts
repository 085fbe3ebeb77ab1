import { resolve } from 'node:path';
import { asSottoError, SottoError } from '../core/errors.ts';
import type { Json } from '../core/json.ts';
import { arrayAt, member, stringAt } from '../core/json.ts';
import type { UnsealKey } from '../sealed/sealing-key.ts';
import { parseUnsealKey } from '../sealed/sealing-key.ts';
import type { AgeIdentity } from '../sops/age.ts';
import { parseAgeIdentities } from '../sops/age.ts';
import { readManifests } from '../yaml/manifest.ts';
import type { Surroundings } from './context.ts';
import { readFileBytes } from './files.ts';

/** The private keys of files given with `--key-file`, in the order given. */
export interface FileKeys {
  readonly ageIdentities: readonly AgeIdentity[];
  readonly unsealKeys: readonly UnsealKey[];
}

/**
 * Age identities, a private key in PEM, or Secrets and Lists of them in YAML or JSON (the backup form of sealing keys;
 * Flux's `*.agekey` entries too). A file that cannot be used is an error, because somebody named it.
 */
export async function readKeyFiles(around: Surroundings, names: readonly string[]): Promise<FileKeys> {
  const found: FileKeys[] = [];
  for (const name of names) {
    const bytes = await readFileBytes(resolve(around.cwd, name), name);
    try {
      const keys = keysOf(bytes, name);
      if (keys.ageIdentities.length + keys.unsealKeys.length === 0) throw unusable(name, 'it holds no key');
      found.push(keys);
    } catch (thrown) {
      throw asSottoError(thrown).at({ file: name });
    } finally {
      bytes.fill(0);
    }
  }
  return merged(found);
}

function merged(keys: readonly FileKeys[]): FileKeys {
  return {
    ageIdentities: keys.flatMap((file) => file.ageIdentities),
    unsealKeys: keys.flatMap((file) => file.unsealKeys),
  };
}

const LATER: readonly (readonly [RegExp, string])[] = [
  [/^-----BEGIN AGE ENCRYPTED FILE-----|^age-encryption\.org\//, 'a passphrase-protected age identity file'],
  [/^-----BEGIN PGP PRIVATE KEY BLOCK-----/, 'an OpenPGP key'],
];
const LATER_HEAD_BYTES = 64;

function keysOf(bytes: Uint8Array, name: string): FileKeys {
  const start = firstContent(bytes);
  const head = Buffer.from(bytes.subarray(start, start + LATER_HEAD_BYTES)).toString('latin1');
  const later = LATER.find(([pattern]) => pattern.test(head));
  if (later !== undefined) throw notBuilt(name, later[1]);
  // A key in PEM is for sealing, as it always was; an SSH key in PEM is found by the variable of sops.
  const isIdentity = head.startsWith('AGE-') || head.startsWith('-----BEGIN OPENSSH PRIVATE KEY-----');
  if (isIdentity) return { ageIdentities: parseAgeIdentities(bytes), unsealKeys: [] };
  if (head.startsWith('-----BEGIN ')) return { ageIdentities: [], unsealKeys: [parseUnsealKey(bytes.subarray(start))] };
  return merged(secretsOf(bytes, name).map((secret) => keysOfSecret(secret)));
}

/** Offset of the first line that is neither blank nor a comment, without its indentation. */
function firstContent(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const char = bytes[at];
    if (char === 0x23) {
      const end = bytes.indexOf(0x0a, at);
      if (end === -1) return bytes.length;
      at = end + 1;
    } else if (char === 0x20 || char === 0x09 || char === 0x0d || char === 0x0a) at += 1;
    else return at;
  }
  return at;
}

/**
 * The Secrets of a backup file. Its base64 texts become strings on the way, as spec/memory.md forbids in the agent:
 * this process is one command, which ends with its answer.
 */
function secretsOf(bytes: Uint8Array, name: string): readonly Json[] {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unusable(name, 'it is no text');
  }
  const documents = readManifests(text, name).map((manifest) => manifest.value);
  const secrets = documents.flatMap((document) => {
    const isList = stringAt(document, 'kind') === 'List' || stringAt(document, 'kind') === 'SecretList';
    return isList ? arrayAt(document, 'items') : [document];
  });
  if (secrets.every((secret) => stringAt(secret, 'kind') === 'Secret')) return secrets;
  throw unusable(name, 'it holds something else than Secrets');
}

function keysOfSecret(secret: Json): FileKeys {
  const ageIdentities: AgeIdentity[] = [];
  const unsealKeys: UnsealKey[] = [];
  for (const [entry, bytes] of entriesOf(secret)) {
    try {
      if (entry === 'tls.key') unsealKeys.push(parseUnsealKey(bytes));
      if (entry.endsWith('.agekey')) ageIdentities.push(...parseAgeIdentities(bytes));
    } catch (thrown) {
      throw asSottoError(thrown).at({ object: `Secret/${stringAt(secret, 'metadata', 'name') ?? '?'}`, key: entry });
    } finally {
      bytes.fill(0);
    }
  }
  return { ageIdentities, unsealKeys };
}

function entriesOf(secret: Json): readonly (readonly [string, Uint8Array])[] {
  return (['data', 'stringData'] as const).flatMap((field) => {
    const encoding = field === 'data' ? 'base64' : 'utf8';
    return Object.entries(member(secret, field) ?? {}).flatMap(([entry, text]) =>
      typeof text === 'string' ? [[entry, Buffer.from(text, encoding)] as const] : [],
    );
  });
}

function unusable(name: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-009',
    what: 'the key file cannot be used',
    file: name,
    why,
    next: 'give age identities, a private key in PEM, or the backup of a key Secret',
  });
}

function notBuilt(name: string, form: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-003',
    what: `not in this version: ${form} as key file`,
    file: name,
    why: 'only plain age identities, SSH keys without passphrase and sealing keys are read',
    next: 'use sops for this file, or add an age recipient to it',
  });
}
