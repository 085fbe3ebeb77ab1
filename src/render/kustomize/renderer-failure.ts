import { type ErrorPlace, SottoError } from '../../core/errors.ts';

/** What can be wrong with a renderer itself, whatever it was to build. Nothing that it said is quoted. */

export function noRenderer(place: ErrorPlace = {}): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-060',
    what: 'there is no renderer for kustomizations',
    why: 'the agent was started without --renderer, and there is no kustomize in its PATH',
    next: 'add the container `renderer` of deploy/base/deployment.yaml to the Pod and start the agent with --renderer unix:/run/sotto-renderer/private/socket',
    ...place,
  });
}
