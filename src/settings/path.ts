/** A place in the document: field names and list indices from the top. */
export type FieldPath = readonly (string | number)[];

/** `syncs[0].source.git.url`, as it is shown and as the tables name it. */
export function showPath(path: FieldPath): string {
  let shown = '';
  for (const part of path) {
    if (typeof part === 'number') shown += `[${part}]`;
    else if (!/^[A-Za-z_][\w-]*$/.test(part)) shown += `[${JSON.stringify(part)}]`;
    else shown += shown === '' ? part : `.${part}`;
  }
  return shown === '' ? 'the document' : shown;
}

export function startsWith(path: FieldPath, prefix: FieldPath): boolean {
  return prefix.every((part, index) => path[index] === part);
}
