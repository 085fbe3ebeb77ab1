/** What a Secret may be used for, as its label says; see docs on labels and annotations. */
export const USE_LABEL = 'sotto.dev/use';
/** To which URL prefix a credential may be sent. */
export const FOR_ANNOTATION = 'sotto.dev/for';
/** On key Secrets that sotto made itself; the value is `sotto`. */
export const ORIGIN_ANNOTATION = 'sotto.dev/origin';
export const ORIGIN_SOTTO = 'sotto';
/** On key Secrets: how far the key is on its way out. Without it a key is active. */
export const STATE_ANNOTATION = 'sotto.dev/state';
/** On key Secrets that sotto made: since when. RFC 3339. */
export const SINCE_ANNOTATION = 'sotto.dev/since';
/** On keys that are on their way out: when they may go. RFC 3339. Nothing is deleted by a clock. */
export const UNTIL_ANNOTATION = 'sotto.dev/until';

/** On a key that a rotation made: the recipient that gives way to it. So an interrupted one finds it again. */
export const REPLACES_ANNOTATION = 'sotto.dev/replaces';
/** On a key that the agent rotates to: what it has pushed (`rotation-mark.ts`). */
export const ROTATION_ANNOTATION = 'sotto.dev/rotation';

/** On the same: a digest of its recipients with the fingerprint key, which nobody else can write (`made-here.ts`). */
export const MADE_ANNOTATION = 'sotto.dev/made';

/** The SealedSecrets controller's own label; only the value `active` counts, `compromised` and others hide a key. */
export const STOCK_SEALING_LABEL = 'sealedsecrets.bitnami.com/sealed-secrets-key';
export const STOCK_SEALING_ACTIVE = 'active';
export const TLS_TYPE = 'kubernetes.io/tls';

export type SecretUse = 'keys' | 'git' | 'git-write' | 'registry' | 'hook' | 'verify';
