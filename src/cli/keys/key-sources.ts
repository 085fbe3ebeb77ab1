import {
  isJsonObject,
  type Json,
  type JsonObject,
  arrayAt,
  memberAt,
  stringAt,
  stringifyJson,
} from '../../core/json.ts';
import { isDeeper } from '../../core/json-depth.ts';
import { LIMITS } from '../../core/limits.ts';
import { RECOVERY_NAME } from '../../core/labels.ts';
import { keyLife } from '../../keys/key-state.ts';
import type { AgeIdentity } from '../../sops/age.ts';
import { openPassphraseFile, parsePassphraseFile } from '../../sops/age-scrypt.ts';
import type { Identity } from '../../sops/identity.ts';
import { decryptWithIdentities } from '../../sops/recipients.ts';
import { readManifests } from '../../yaml/manifest.ts';
import type { CommandContext } from '../context.ts';
import { type FileKeys, keysInFile, readKeyFiles } from '../key-files.ts';
import { openByPassphrase } from '../passphrase.ts';
import { noBackup, notOpened } from './backup.ts';

/** Keys, and where they come from, for the report. */
export interface KeySource {
  readonly label: string;
  readonly keys: FileKeys;
}

/** A file that is, or may be, a backup of keys. */
export interface BackupFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Somebody named it: then it has to open. */
  readonly isGiven: boolean;
}

export interface BackupKeys {
  readonly sources: readonly KeySource[];
  /** Every Secret in them, also those without a key. */
  readonly secretNames: ReadonlySet<string>;
  readonly notes: readonly string[];
}

/** Each key file as a source; what is behind a passphrase is asked for now, once. */
export async function recoverySources(context: CommandContext, keyFiles: readonly string[]): Promise<KeySource[]> {
  const sources: KeySource[] = [];
  for (const label of keyFiles) {
    const { identities, unsealKeys } = await readKeyFiles(context, [label]);
    sources.push({ label, keys: { identities: await unlocked(identities), unsealKeys } });
  }
  return sources;
}

async function unlocked(identities: readonly Identity[]): Promise<Identity[]> {
  const open: Identity[] = [];
  for (const identity of identities)
    if (identity.kind === 'locked') open.push(...(await identity.unlock([])));
    else open.push(identity);
  return open;
}

/** The keys of those backups that the recovery keys open. Throws SottoError for one that was named and does not. */
export async function backupKeys(
  context: CommandContext,
  files: readonly BackupFile[],
  recovery: readonly KeySource[],
): Promise<BackupKeys> {
  const held = recovery
    .flatMap(({ keys }) => keys.identities)
    .filter((identity): identity is AgeIdentity => identity.kind === 'age');
  const sources: KeySource[] = [];
  const secretNames = new Set<string>();
  const notes: string[] = [];
  for (const file of files) {
    const parts = agePartsOf(file);
    if (parts.length === 0 && file.isGiven) throw noBackup(file.name);
    for (const part of parts) {
      const content = await openPart(context, file, part, held);
      if (content === undefined) {
        notes.push(`${file.name} is an age file that the recovery identity does not open`);
        continue;
      }
      try {
        const found = sourcesIn(context, content, file);
        sources.push(...found.sources);
        notes.push(...found.notes);
        for (const name of found.secretNames) secretNames.add(name);
      } finally {
        content.fill(0);
      }
    }
  }
  return { sources, secretNames, notes };
}

const AGE_STARTS = ['-----BEGIN AGE ENCRYPTED FILE-----', 'age-encryption.org/v1'];

function isAgeFile(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.subarray(0, 40)).toString('latin1');
  return AGE_STARTS.some((start) => head.startsWith(start));
}

/** What to look for in files of a repository, of which most are something else. */
export const BACKUP_WORDS = [...AGE_STARTS, RECOVERY_NAME];

/** The file itself, or what ConfigMap `sotto-recovery` holds, as somebody has saved it. */
function agePartsOf({ bytes, name }: BackupFile): Uint8Array[] {
  if (isAgeFile(bytes)) return [bytes];
  return manifestsIn(bytes, name)
    .filter((each) => stringAt(each, 'kind') === 'ConfigMap' && stringAt(each, 'metadata', 'name') === RECOVERY_NAME)
    .flatMap((each) => Object.values(mapOf(memberAt(each, 'data'))))
    .flatMap((text) => (typeof text === 'string' ? [new TextEncoder().encode(text)] : []))
    .filter(isAgeFile);
}

function manifestsIn(bytes: Uint8Array, name: string): Json[] {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (!text.includes(RECOVERY_NAME)) return [];
    const values = readManifests(text, name).map(({ value }) => value);
    return values.flatMap((value) => (stringAt(value, 'kind')?.endsWith('List') ? arrayAt(value, 'items') : [value]));
  } catch {
    // A file of a repository may be anything; one that was named is told to be no backup.
    return [];
  }
}

function mapOf(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

async function openPart(
  context: CommandContext,
  { name, isGiven }: BackupFile,
  part: Uint8Array,
  held: readonly AgeIdentity[],
): Promise<Uint8Array | undefined> {
  const passphrase = parsePassphraseFile(Uint8Array.from(part));
  if (passphrase !== undefined)
    return isGiven ? openByPassphrase(context, name, (typed) => openPassphraseFile(passphrase, typed)) : undefined;
  const opened = await decryptWithIdentities(part, held);
  if (opened === undefined && isGiven) throw notOpened(name);
  return opened;
}

interface Found extends BackupKeys {
  readonly secretNames: ReadonlySet<string>;
}

/** A List of Secrets, one of them, or an identity as a rotation with a file keeps its copy. */
function sourcesIn(context: CommandContext, content: Uint8Array, { name, isGiven }: BackupFile): Found {
  const secrets = secretsOf(content);
  const sources: KeySource[] = [];
  const notes: string[] = [];
  const attempt = (label: string, bytes: Uint8Array): void => {
    try {
      const { identities, unsealKeys } = keysInFile(context, bytes, label);
      const keys = { identities: identities.filter(({ kind }) => kind !== 'locked'), unsealKeys };
      if (keys.identities.length + keys.unsealKeys.length > 0) sources.push({ label, keys });
    } catch (thrown) {
      if (isGiven) throw thrown;
      notes.push(`what ${label} holds is no key`);
    }
  };
  if (secrets === undefined) attempt(name, content);
  for (const secret of secrets ?? []) {
    const label = `${name} Secret/${stringAt(secret, 'metadata', 'name') ?? '?'}`;
    // It would be retired again once it is back, and open nothing.
    const annotations = textsOf(memberAt(secret, 'metadata', 'annotations'));
    if (keyLife({ annotations }).state === 'retired') {
      notes.push(`${label} is retired, and opens nothing`);
      continue;
    }
    const bytes = Buffer.from(stringifyJson(secret), 'utf8');
    attempt(label, bytes);
    bytes.fill(0);
  }
  return { sources, notes, secretNames: new Set(secrets?.map((each) => stringAt(each, 'metadata', 'name') ?? '')) };
}

/** Its base64 texts are strings from here on, as in every key file (key-files.ts). */
function secretsOf(content: Uint8Array): JsonObject[] | undefined {
  if (isDeeper(content, LIMITS.maxDepth)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(content.buffer, content.byteOffset, content.length).toString('utf8'));
  } catch {
    return undefined;
  }
  const items = stringAt(value, 'kind') === 'List' ? arrayAt(value, 'items') : [value];
  return items.filter((item): item is JsonObject => isJsonObject(item) && item['kind'] === 'Secret');
}

function textsOf(value: Json | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(mapOf(value)).flatMap(([key, text]) => (typeof text === 'string' ? [[key, text] as const] : [])),
  );
}
