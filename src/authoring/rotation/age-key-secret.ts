import { rfc3339 } from '../../core/clock.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Sensitive } from '../../core/sensitive.ts';
import { ORIGIN_ANNOTATION, ORIGIN_SOTTO, REPLACES_ANNOTATION, SINCE_ANNOTATION, USE_LABEL } from '../../keys/marks.ts';
import type { AgeIdentity } from '../../sops/age.ts';
import { makeIdentity } from '../../sops/make-identity.ts';
import { keySecretBody } from '../secret-body.ts';

/** A new identity as the Secret that will hold it. Disposed of, nothing of it is left here but the identity. */
export interface AgeKeySecret extends Disposable {
  readonly identity: AgeIdentity;
  /** Of the Secret; made of the recipient. */
  readonly name: string;
  /** The manifest, anew for each attempt: a body that was sent is gone. */
  readonly fill: () => Sensitive;
}

export function ageKeySecret(
  namespace: string,
  old: string,
  now: Date,
  marks: (recipient: string) => Readonly<Record<string, string>> = () => ({}),
): AgeKeySecret {
  const { identity, keyFile } = makeIdentity(now);
  const name = `sotto-age-${identity.recipient.slice(4, 14)}`;
  const metadata: JsonObject = {
    name,
    namespace,
    labels: { [USE_LABEL]: 'keys', 'app.kubernetes.io/managed-by': 'sotto' },
    annotations: {
      [ORIGIN_ANNOTATION]: ORIGIN_SOTTO,
      [SINCE_ANNOTATION]: rfc3339(now),
      [REPLACES_ANNOTATION]: old,
      ...marks(identity.recipient),
    },
  };
  return {
    identity,
    name,
    fill: () => keySecretBody({ metadata, type: 'Opaque', entries: new Map([['age.agekey', keyFile]]) }),
    [Symbol.dispose]: () => keyFile.wipe(),
  };
}
