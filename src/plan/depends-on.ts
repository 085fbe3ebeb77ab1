import type { ClosedObject } from '../core/closed.ts';
import { SottoError } from '../core/errors.ts';
import type { ObjectId } from '../core/ids.ts';
import { annotation } from './turn.ts';

export const DEPENDS_ON = 'config.kubernetes.io/depends-on';

/**
 * What the annotation names, in the form of cli-utils: `group/namespaces/NAMESPACE/Kind/name`, with nothing before the
 * first slash for the core group, several with commas. Throws SottoError.
 */
export function dependsOn(tree: ClosedObject, namespace: string): ObjectId[] {
  const text = annotation(tree, DEPENDS_ON);
  if (text === undefined) return [];
  return text.split(',').map((part) => readReference(part.trim(), namespace));
}

function readReference(text: string, namespace: string): ObjectId {
  const parts = text.split('/');
  const [group = '', word, where = '', kind = '', name = ''] = parts;
  if (parts.length === 3) throw unusable(text, 'it names an object without a namespace, which no sync applies');
  const isReference = parts.length === 5 && word === 'namespaces' && where !== '' && kind !== '' && name !== '';
  if (!isReference) throw unusable(text, 'the form is group/namespaces/NAMESPACE/Kind/name');
  if (where !== namespace)
    throw unusable(text, `the object is of namespace ${where}, and this agent applies into ${namespace}`);
  return { group, kind, namespace, name };
}

export function unusable(text: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-PLAN-063',
    what: `${DEPENDS_ON} names ${JSON.stringify(text.slice(0, 200))}`,
    why,
    next: 'name an object of the same sync, such as apps/namespaces/team-app/Deployment/db (/namespaces/… for the core group)',
    key: `metadata.annotations.${DEPENDS_ON}`,
  });
}
