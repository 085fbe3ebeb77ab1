import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { SottoError } from '../core/errors.ts';
import { copySecret, ownedBytes, type Sensitive } from '../core/sensitive.ts';
import type { GitUrl } from './address.ts';

/** What a repository is read with. Whoever made the Sensitive values wipes them. */
export type GitCredential =
  | { readonly kind: 'basic'; readonly username: Sensitive; readonly password: Sensitive }
  | { readonly kind: 'bearer'; readonly token: Sensitive }
  | { readonly kind: 'none' };

export interface GitAccess {
  readonly credential: GitCredential;
  /** PEM. Replaces the authorities of the system for this repository. */
  readonly caCertificate?: Uint8Array | undefined;
}

/** Files of one command on the memory volume; `remove` overwrites and unlinks them. */
export interface PrivateFiles {
  /** A git configuration file that only the command's environment names. */
  readonly configPath: string;
  remove(): Promise<void>;
}

/**
 * Writes the credential where git reads it and nobody else does: a configuration file, mode 0600, that lives as long
 * as one command. Arguments and environment are readable in /proc by everyone with our uid and end in process
 * listings, so they name the file only. The header is bound to the URL of the repository: git sends it nowhere else,
 * and redirects are refused besides. It goes with the first request, which saves the round trip of a 401.
 */
export async function writePrivateFiles(
  folder: string,
  name: string,
  url: GitUrl,
  access: GitAccess,
): Promise<PrivateFiles> {
  const configPath = `${folder}/${name}.config`;
  const caPath = `${folder}/${name}.ca`;
  const { caCertificate } = access;
  const config = privateConfig(url, access.credential, caCertificate === undefined ? undefined : caPath);
  const written: { path: string; length: number }[] = [];
  const remove = async (): Promise<void> => {
    for (const { path, length } of written) await overwriteAndUnlink(path, length);
  };
  try {
    written.push({ path: configPath, length: config.length });
    await writeNew(configPath, config);
    if (caCertificate !== undefined) {
      written.push({ path: caPath, length: 0 });
      await writeNew(caPath, caCertificate);
    }
  } catch (thrown) {
    await remove();
    throw thrown;
  } finally {
    config.fill(0);
  }
  return { configPath, remove };
}

async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  await file.writeFile(bytes);
}

async function overwriteAndUnlink(path: string, length: number): Promise<void> {
  try {
    {
      await using file = await open(path, constants.O_WRONLY);
      await file.write(new Uint8Array(length));
    }
    await unlink(path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
  }
}

/** The text of the file, in one owned buffer that the caller wipes. Throws SOTTO-GIT-030. */
export function privateConfig(url: GitUrl, credential: GitCredential, caPath: string | undefined): Uint8Array {
  const head = [`[http ${quote(url)}]`, ...(caPath === undefined ? [] : [`sslCAInfo = ${quote(caPath)}`])].join('\n');
  const headBytes = Buffer.from(`${head}\n`, 'utf8');
  if (credential.kind === 'none') return headBytes;
  const scheme = Buffer.from(
    `extraHeader = "Authorization: ${credential.kind === 'basic' ? 'Basic' : 'Bearer'} `,
    'utf8',
  );
  const value = credential.kind === 'basic' ? basicValue(credential) : tokenValue(credential.token);
  const end = Buffer.from('"\n', 'utf8');
  const parts = [headBytes, scheme, value, end];
  const config = ownedBytes(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    copySecret(part, config, at);
    at += part.length;
  }
  value.fill(0);
  return config;
}

/** A value or subsection of a git configuration file. */
export function quote(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}

const COLON = 0x3a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function basicValue(credential: { readonly username: Sensitive; readonly password: Sensitive }): Uint8Array {
  const username = credential.username.reveal();
  const password = credential.password.reveal();
  if (username.includes(COLON)) throw unsendable('the user name holds a colon');
  if (username.some(isControl)) throw unsendable('the user name holds a line break or another control character');
  if (password.some(isControl)) throw unsendable('the password holds a line break or another control character');
  const pair = ownedBytes(username.length + 1 + password.length);
  pair.set(username);
  pair[username.length] = COLON;
  pair.set(password, username.length + 1);
  const encoded = base64Bytes(pair);
  pair.fill(0);
  return encoded;
}

/** The token with quotes and backslashes escaped as the configuration file wants them. */
function tokenValue(token: Sensitive): Uint8Array {
  const bytes = token.reveal();
  if (bytes.length === 0) throw unsendable('the token is empty');
  if (bytes.some((byte) => isControl(byte) || byte === 0x20 || byte > 0x7e)) {
    throw unsendable('the token holds a blank, a line break or a character that is not ASCII');
  }
  const value = ownedBytes(bytes.length + bytes.filter(isEscaped).length);
  let at = 0;
  for (const byte of bytes) {
    if (isEscaped(byte)) value[at++] = BACKSLASH;
    value[at++] = byte;
  }
  return value;
}

function isEscaped(byte: number): boolean {
  return byte === QUOTE || byte === BACKSLASH;
}

function isControl(byte: number): boolean {
  return byte < 0x20 || byte === 0x7f;
}

const BASE64 = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=', 'latin1');
const PADDING = 64;

/** Byte by byte: `toString('base64')` would leave the password in a string that cannot be overwritten. */
function base64Bytes(bytes: Uint8Array): Uint8Array {
  const encoded = ownedBytes(Math.ceil(bytes.length / 3) * 4);
  let at = 0;
  for (let from = 0; from < bytes.length; from += 3) {
    const [first = 0, second, third] = bytes.subarray(from, from + 3);
    const digits = [
      first >> 2,
      ((first & 0x03) << 4) | ((second ?? 0) >> 4),
      second === undefined ? PADDING : ((second & 0x0f) << 2) | ((third ?? 0) >> 6),
      third === undefined ? PADDING : third & 0x3f,
    ];
    for (const digit of digits) encoded[at++] = BASE64[digit] ?? 0;
  }
  return encoded;
}

function unsendable(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-GIT-030',
    what: 'the credential for the repository cannot be sent',
    why,
    next: 'write the Secret again without it, for example with printf %s instead of echo',
    key: 'source.git.secretRef',
  });
}
