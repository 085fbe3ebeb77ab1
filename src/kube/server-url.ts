import { SottoError } from '../core/errors.ts';
import type { ErrorPlace } from '../core/errors.ts';

/** The API server's address. http is for a proxy on this machine only: a token must not cross a network in clear. */
export function serverUrl(text: string, place: ErrorPlace): URL {
  const url = URL.parse(text);
  const usable = url !== null && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url)));
  if (usable && url.username === '' && url.password === '') return url;
  throw new SottoError({
    code: 'SOTTO-KUBE-022',
    what: 'The address of the API server cannot be used',
    why: 'it must be an https URL without a user; http is accepted for this machine only (127.0.0.0/8, ::1, localhost)',
    next: 'correct clusters[].cluster.server in the kubeconfig',
    ...place,
  });
}

export function isLoopback(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(url.hostname);
}
