const PRIVATE = /AGE-SECRET-KEY-|AGE-PLUGIN-|PRIVATE KEY/i;

/** The private half of a key where its name belongs, by a slip of somebody: it goes nowhere, and no message quotes it. */
export function isPrivateKey(text: string | undefined): boolean {
  return text !== undefined && PRIVATE.test(text);
}
