import { SottoError } from '../core/errors.ts';
import { ToolsMissing } from './tools.ts';

const MAX_REASON_CHARS = 400;

/** The last words of a program, on one line. */
export function reasonOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > MAX_REASON_CHARS ? `…${line.slice(-MAX_REASON_CHARS)}` : line;
}

export function noCheckout(programPath: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-031',
    what: 'the demo found no checkout of sotto',
    why: `no folder above ${programPath} holds package.json and test/tools, which say how the API server is built`,
    next: 'npm run demo in a checkout, or sotto demo --context NAME on an existing cluster',
  });
}

/** What a person can do about tools that cannot be found or built. */
export function toolsFailed(thrown: unknown): SottoError {
  if (thrown instanceof ToolsMissing) {
    return new SottoError({
      code: 'SOTTO-CLI-030',
      what: `the demo has no API server to run against: ${thrown.missing.join(' and ')} not found`,
      why: 'they are not in KUBEBUILDER_ASSETS, PATH or the cache, and Go is not there to build them',
      next: 'install Go (https://go.dev/dl), or set KUBEBUILDER_ASSETS to a folder that holds both, or run npm run demo -- --context NAME on an existing cluster',
    });
  }
  return new SottoError(
    {
      code: 'SOTTO-CLI-032',
      what: 'the API server of the demo could not be built',
      why: reasonOf(thrown),
      next: 'mend that and run the demo again, or set KUBEBUILDER_ASSETS, or use --context NAME',
    },
    { cause: thrown },
  );
}

export function planeFailed(thrown: unknown): SottoError {
  return new SottoError(
    {
      code: 'SOTTO-CLI-033',
      what: 'the API server of the demo did not start',
      why: reasonOf(thrown),
      next: 'run the demo again; it takes other ports. On an existing cluster: --context NAME',
    },
    { cause: thrown },
  );
}

export function namespaceExists(namespace: string, user: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-034',
    what: 'the demo works only in a namespace that it makes itself',
    object: `Namespace/${namespace}`,
    why: `it exists already (${user})`,
    next: 'choose another name with -n NAME, or remove what an earlier demo left: kubectl delete namespace NAME',
  });
}

export function setupRefused(what: string, why: string, next: string): SottoError {
  return new SottoError({ code: 'SOTTO-CLI-035', what: `the demo cannot make ${what}`, why, next });
}

export function agentFailed(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-CLI-036',
    what: 'the agent of the demo did not start',
    why,
    next: 'mend what its log says and run the demo again',
  });
}

export function gitMissing(thrown: unknown): SottoError {
  return new SottoError(
    {
      code: 'SOTTO-CLI-037',
      what: 'the demo cannot serve a repository',
      why: reasonOf(thrown),
      next: 'install git 2.31 or newer and run the demo again',
    },
    { cause: thrown },
  );
}
