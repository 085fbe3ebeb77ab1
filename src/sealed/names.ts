const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const ENTRY = /^[-._a-zA-Z0-9]+$/;

/** A Secret's name: lower case letters, digits, dashes and dots, at most 253. */
export function isSecretName(text: string): boolean {
  return text.length <= 253 && SUBDOMAIN.test(text);
}

/** A namespace's name: lower case letters, digits and dashes, at most 63. */
export function isNamespaceName(text: string): boolean {
  return text.length <= 63 && LABEL.test(text);
}

/** The name of an entry of a Secret's `data`, as the API server checks it. */
export function isEntryName(text: string): boolean {
  return text.length <= 253 && ENTRY.test(text) && text !== '.' && !text.startsWith('..');
}
