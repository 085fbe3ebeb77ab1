/** A URL whose parts every program reads alike. */
export interface PlainUrl {
  /** Scheme, host and port: `https://git.example.com`, without the default port. */
  readonly origin: string;
  /** Starts with a slash, dot segments resolved. */
  readonly path: string;
}

/** Blanks, controls, backslashes, query, fragment, and what a server may decode into another path. */
const AMBIGUOUS = /[\p{Cc}\p{Cf}\s\\?#]|%2e|%2f|%5c|%25/iu;

/** Undefined for everything that is not a plain http or https URL without a user. */
export function plainUrl(text: string): PlainUrl | undefined {
  if (AMBIGUOUS.test(text)) return undefined;
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return undefined;
  // The parser drops an empty user, as in https://@host/, which another program may read otherwise.
  if (
    text
      .replace(/^[a-z]+:\/*/i, '')
      .split('/', 1)[0]
      ?.includes('@') !== false
  )
    return undefined;
  return { origin: url.origin, path: url.pathname };
}

/** True when the origin is equal and the prefix's path covers whole segments: `/team` covers `/team/app`, not `/team2`. */
export function coversUrl(prefix: PlainUrl, url: PlainUrl): boolean {
  if (prefix.origin !== url.origin) return false;
  const path = prefix.path.endsWith('/') ? prefix.path.slice(0, -1) : prefix.path;
  return url.path === path || url.path.startsWith(`${path}/`);
}
