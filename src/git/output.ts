/** Hex SHA-1 of a commit. */
export type CommitId = string & { readonly brand: 'CommitId' };

/** Hex SHA-1 of a file's content as git counts it. */
export type BlobId = string & { readonly brand: 'BlobId' };

export type TreeEntry =
  | { readonly kind: 'file'; readonly path: string; readonly blob: BlobId }
  | { readonly kind: 'folder' | 'link' | 'submodule' | 'other'; readonly path: string };

const SHA1 = /^[0-9a-f]{40}$/;

export function isCommitId(text: string): text is CommitId {
  return SHA1.test(text);
}

function isBlobId(text: string): text is BlobId {
  return SHA1.test(text);
}

/** The heads in the answer of `ls-remote`: branch name and id, which is longer than SHA-1 in a SHA-256 repository. */
export function parseHeads(text: string): Map<string, string> {
  const heads = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, id, branch] = /^([0-9a-f]{40,64})\trefs\/heads\/(.+)$/.exec(line) ?? [];
    if (id !== undefined && branch !== undefined) heads.set(branch, id);
  }
  return heads;
}

/** The answer of `ls-tree -r -t -z`. Undefined when it is not one. */
export function parseTree(text: string): TreeEntry[] | undefined {
  const entries: TreeEntry[] = [];
  for (const record of text.split('\0')) {
    if (record === '') continue;
    const [, mode, id, path] = /^([0-7]{6}) [a-z]+ ([0-9a-f]{40})\t(.+)$/s.exec(record) ?? [];
    if (mode === undefined || id === undefined || path === undefined) return undefined;
    entries.push(treeEntry(mode, id, path));
  }
  return entries;
}

function treeEntry(mode: string, id: string, path: string): TreeEntry {
  if ((mode === '100644' || mode === '100755') && isBlobId(id)) return { kind: 'file', path, blob: id };
  if (mode === '040000') return { kind: 'folder', path };
  if (mode === '120000') return { kind: 'link', path };
  return { kind: mode === '160000' ? 'submodule' : 'other', path };
}

/** The answer of `cat-file --batch-check`: size by id; ids that are not there are missing in the map. */
export function parseSizes(bytes: Buffer): Map<BlobId, number> {
  const sizes = new Map<BlobId, number>();
  for (const line of bytes.toString('latin1').split('\n')) {
    const [id = '', type, size = ''] = line.split(' ');
    if (type === 'blob' && isBlobId(id) && /^\d+$/.test(size)) sizes.set(id, Number(size));
  }
  return sizes;
}

const NEWLINE = 0x0a;

/** The answer of `cat-file --batch`: content by id, each a copy of its own. Undefined when it is cut. */
export function parseContents(bytes: Buffer): Map<string, Uint8Array> | undefined {
  const contents = new Map<string, Uint8Array>();
  let at = 0;
  while (at < bytes.length) {
    const end = bytes.indexOf(NEWLINE, at);
    if (end === -1) return undefined;
    const [, id, size] = /^([0-9a-f]{40}) [a-z]+ (\d+)$/.exec(bytes.toString('latin1', at, end)) ?? [];
    if (id === undefined || size === undefined) return undefined;
    const from = end + 1;
    const to = from + Number(size);
    if (bytes[to] !== NEWLINE) return undefined;
    // A view would keep the whole answer alive as long as one file of it is in use.
    contents.set(id, new Uint8Array(bytes.subarray(from, to)));
    at = to + 1;
  }
  return contents;
}

/** The parents that the content of a commit names. */
export function parentsOf(commit: Uint8Array): string[] {
  const head = Buffer.from(commit).toString('latin1').split('\n\n', 1)[0] ?? '';
  return [...head.matchAll(/^parent ([0-9a-f]{40})$/gm)].flatMap((match) => match[1] ?? []);
}
