import { join } from 'node:path';
import type { SharedWork } from '../../sops/pattern.ts';
import { type Policy, readPolicy } from '../../sops/policy.ts';
import { mayHoldSealed } from '../reseal-sealed.ts';
import { type SealedFile, sealedFormat } from '../sealed-file.ts';
import { RECEIPT_FILE } from './receipt.ts';

/** A .sops.yaml as a commit has it. */
export interface CommittedPolicy {
  readonly path: string;
  readonly text: string;
  readonly policy: Policy;
}

export interface SopsDocument {
  readonly file: SealedFile;
  /** The nearest one upwards; undefined where there is none. */
  readonly policy: CommittedPolicy | undefined;
}

export interface SealedSecretFile {
  readonly path: string;
  readonly text: string;
}

/** A SOPS file, or a .sops.yaml, that is not read here: so nothing is known of it but its bytes. */
export interface UnreadFile {
  readonly path: string;
  readonly why: string;
  readonly bytes: Uint8Array;
}

/** Everything encrypted in a commit. */
export interface EncryptedDocuments {
  /** What would have to be changed too, and cannot be. */
  readonly unread: readonly UnreadFile[];
  readonly policies: readonly CommittedPolicy[];
  readonly sops: readonly SopsDocument[];
  readonly sealed: readonly SealedSecretFile[];
}

const POLICY = '.sops.yaml';

/** What of the files of a commit is encrypted, and for whom it shall be; `work`: of all rules. Throws SottoError. */
export function documentsOf(
  contents: ReadonlyMap<string, Uint8Array>,
  root: string,
  work?: SharedWork,
): EncryptedDocuments {
  const policies: CommittedPolicy[] = [];
  const sealed: SealedSecretFile[] = [];
  const found: Omit<SealedFile, 'below'>[] = [];
  const unread: UnreadFile[] = [];
  for (const [path, content] of contents) {
    if (path === RECEIPT_FILE) continue;
    const text = utf8(content);
    if (text === undefined) {
      if (isEncrypted(path, content)) unread.push({ path, why: 'it is no UTF-8 text', bytes: content });
    } else if (isPolicyPath(path)) policies.push({ path, text, policy: readPolicy(text, path, work) });
    else {
      const format = sealedFormat(path, text);
      const bytes = new Uint8Array(content);
      if (format !== undefined) found.push({ path: join(root, path), name: path, format, text, bytes });
      else if (/\.(?:ya?ml|json)$/.test(path) && mayHoldSealed(text)) sealed.push({ path, text });
    }
  }
  const sops = found.map((file) => {
    const policy = policyOf(policies, file.name);
    return { file: { ...file, below: file.name.slice(policy === undefined ? 0 : folderOf(policy).length) }, policy };
  });
  return { policies, sops, sealed, unread };
}

/** Links among the names of .sops.yaml: whoever follows them takes another file than the one that stands there. */
export function withLinks(documents: EncryptedDocuments, links: readonly string[]): EncryptedDocuments {
  const linked = links.filter(isPolicyPath).map((path) => ({ path, why: 'it is a link', bytes: new Uint8Array() }));
  return { ...documents, unread: [...documents.unread, ...linked] };
}

/** Of a content that is no text: what tells a SOPS file from others is ASCII. */
function isEncrypted(path: string, content: Uint8Array): boolean {
  return isPolicyPath(path) || sealedFormat(path, Buffer.from(content).toString('latin1')) !== undefined;
}

/** Whether a path is that of a .sops.yaml. */
export function isPolicyPath(path: string): boolean {
  return path === POLICY || path.endsWith(`/${POLICY}`);
}

/** With a slash at its end, or empty. */
function folderOf({ path }: CommittedPolicy): string {
  return path.slice(0, -POLICY.length);
}

function policyOf(policies: readonly CommittedPolicy[], path: string): CommittedPolicy | undefined {
  return policies
    .filter((policy) => path.startsWith(folderOf(policy)))
    .toSorted((a, b) => b.path.length - a.path.length)[0];
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
