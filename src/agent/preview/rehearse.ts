import type { BodyBuffer } from '../../apply/body.ts';
import { dryCreate } from '../../apply/dry-run.ts';
import type { SottoError } from '../../core/errors.ts';
import { asSottoError } from '../../core/errors.ts';
import { displayObject } from '../../core/ids.ts';
import { INVENTORY_NAME } from '../../core/labels.ts';
import { kubeError } from '../../kube/errors.ts';
import { Opener, type OpenKeys } from '../../open/opener.ts';
import { applySetId } from '../../plan/applyset.ts';
import type { DesiredObject } from '../../render/desired.ts';
import { Lanes } from '../lanes.ts';
import { NO_KEY_FITS } from './open-files.ts';
import type { SyncFiles } from './sync-files.ts';
import { askWishes, type WishContext } from './wishes.ts';

export interface RehearseContext extends Omit<WishContext, 'opener'> {
  readonly keys: OpenKeys;
  readonly random: () => number;
}

/** One object, or a place in Git that gives none. */
export interface Rehearsed {
  readonly object: string | undefined;
  readonly file: string | undefined;
  /** `closed`: no key opens its values, so nobody can say. */
  readonly outcome: 'taken' | 'closed' | 'refused';
  readonly error?: SottoError | undefined;
}

export interface Rehearsal {
  readonly objects: readonly Rehearsed[];
  readonly warnings: readonly SottoError[];
}

/** Objects that are tried at once. */
const PARALLEL = 4;

/** The down flow as into a namespace where nothing is: each object is tried as a create, and none is made. */
export async function rehearse(syncs: readonly SyncFiles[], context: RehearseContext): Promise<Rehearsal> {
  using opener = new Opener(context.keys);
  const { wishes, refusedPaths } = await askWishes(syncs, { ...context, opener }, undefined);
  const lanes = new Lanes(PARALLEL, () => undefined);
  const wanted = new Map(
    wishes.flatMap(({ desired, unopened }) =>
      desired.objects.map((object) => [object.key, { object, missing: unopened.get(object.digest) }] as const),
    ),
  );
  const trials = [...wanted].map(([key, { object, missing }]) =>
    missing === undefined
      ? lanes.run(key, 'commit', (body) => tryObject(object, { ...context, opener, body }))
      : Promise.resolve(notTaken(missing.at(placeOf(object)))),
  );
  const refusals = wishes.flatMap(({ refusals: early, desired }) => [...early, ...desired.refusals]);
  const tried = await Promise.all(trials);
  const away = tried.find(({ error }) => error?.code === 'SOTTO-KUBE-001')?.error;
  if (away !== undefined) throw away;
  return {
    objects: [
      ...refusedPaths.map(notTaken),
      ...refusals.map(({ error, file }) => notTaken(error.at({ file }))),
      ...tried,
    ],
    warnings: wishes.flatMap(({ desired }) => desired.warnings),
  };
}

interface TrialContext extends WishContext {
  readonly body: BodyBuffer;
  readonly random: () => number;
}

async function tryObject(object: DesiredObject, context: TrialContext): Promise<Rehearsed> {
  const { namespace, name } = object.id;
  const resource = context.catalog.find(object.apiVersion, object.id.kind);
  const place = placeOf(object);
  if (resource === undefined) throw new TypeError('an object of an unknown kind was rendered');
  try {
    const setId = applySetId(INVENTORY_NAME, context.agentNamespace);
    const failure = await dryCreate(object, resource, { ...context, setId });
    if (failure === undefined) return { object: place.object, file: place.file, outcome: 'taken' };
    return notTaken(kubeError(failure, { verb: 'create', resource, namespace, name, user: context.user }).at(place));
  } catch (thrown) {
    return notTaken(asSottoError(thrown).at(place));
  }
}

function placeOf({ id, file, line }: DesiredObject) {
  return { object: displayObject(id), file, line };
}

function notTaken(error: SottoError): Rehearsed {
  const { object, file } = error.place;
  return { object, file, outcome: NO_KEY_FITS.has(error.code) ? 'closed' : 'refused', error };
}
