const NAME = '[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}';
const RESOURCE = new RegExp(`^projects/${NAME}/locations/${NAME}/keyRings/${NAME}/cryptoKeys/${NAME}$`);

/** It becomes a part of a URL, which says of itself that it is no other one. */
export function isGcpResourceId(text: string): boolean {
  return RESOURCE.test(text);
}
