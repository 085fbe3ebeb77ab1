/**
 * A text as one word of a POSIX shell. Next steps are there to be pasted, and files, branches and Roles may be called
 * whatever their authors like: `$(curl …)`, for one.
 */
export function shellWord(text: string): string {
  return /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A relative path that is no option either. */
export function fileWord(path: string): string {
  return shellWord(path.startsWith('-') ? `./${path}` : path);
}
