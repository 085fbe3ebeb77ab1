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

/** Of a renderer that has nothing to run. */
export function noKustomize(): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-039',
    what: 'kustomize cannot be started',
    why: 'there is none beside sotto or in PATH that says its version',
    next: 'use the image of sotto, or name one with --kustomize /PATH/TO/kustomize',
  });
}

export function badAddress(text: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-061',
    what: `${JSON.stringify(text.slice(0, 200))} is no address of a renderer`,
    why,
    next: 'write unix:/run/sotto-renderer/private/socket, or tcp:HOST:PORT with --renderer-token FILE',
  });
}

export function badToken(file: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-062',
    what: 'the token that agent and renderer share cannot be used',
    why,
    next: 'mount Secret sotto-renderer into both Pods; to make it: openssl rand -hex 32 | kubectl create secret generic sotto-renderer --from-file=token=/dev/stdin',
    file,
  });
}

export function cannotListen(where: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-063',
    what: `the renderer cannot listen on ${where}`,
    why,
    next: 'give it a folder or port of its own with --listen',
  });
}

export function notReached(where: string, waitedMs: number, reason: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-064',
    what: 'the renderer cannot be reached',
    why: `${where} has not answered for ${Math.round(waitedMs / 1_000)} s: ${reason}`,
    next: 'look at the container `renderer` of the agent’s Pod, or at Deployment sotto-renderer: kubectl get pods; kubectl logs POD -c renderer',
  });
}

export function lostRenderer(root: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-065',
    what: 'the renderer ended in the middle of a build, twice',
    why: 'the connection broke while it worked on this kustomization; what ends it is mostly the memory limit of its container',
    next: 'look at its last state with kubectl describe pod, and raise its memory limit or split the kustomization into several syncs',
    file: root === '' ? undefined : root,
  });
}

export function notUnderstood(): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-066',
    what: 'the answer of the renderer is not what was asked for',
    why: 'it has another form or is larger than may be; nothing of it is used',
    next: 'see that only the renderer of sotto listens there, in the image of this version',
  });
}

export function otherVersion(): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-067',
    what: 'agent and renderer are of different versions',
    why: 'they do not speak the same protocol',
    next: 'give both containers the same image',
  });
}

export function refusedByRenderer(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-068',
    what: 'the renderer did not take the build',
    why,
    next: 'see that one agent alone asks this renderer; the next pass tries again',
  });
}

export function notTheRenderer(where: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-069',
    what: 'what answers in the place of the renderer does not know the token',
    why: `the encrypted connection to ${where} could not be made with the token of this Pod`,
    next: 'mount the same Secret sotto-renderer into both Pods and restart the one that had another',
  });
}
