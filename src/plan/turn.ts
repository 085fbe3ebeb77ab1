import type { ClosedObject } from '../core/closed.ts';
import { SottoError } from '../core/errors.ts';
import { stringAt } from '../core/json.ts';

/** -1: before what the sync applies (Argo's PreSync); 1: after it (PostSync). */
export type Phase = -1 | 0 | 1;

/** When it is an object's turn: everything of an earlier turn is ready before. */
export interface Turn {
  readonly phase: Phase;
  readonly wave: number;
}

export const ARGO_HOOK = 'argocd.argoproj.io/hook';
export const ARGO_WAVE = 'argocd.argoproj.io/sync-wave';
export const HELM_HOOK = 'helm.sh/hook';
export const HELM_WEIGHT = 'helm.sh/hook-weight';

/** Undefined: nothing stands for it, so it is the middle. Throws SottoError. */
export function turnOf(tree: ClosedObject): Turn | undefined {
  const argo = annotation(tree, ARGO_HOOK);
  const helm = argo === undefined ? annotation(tree, HELM_HOOK) : undefined;
  const phase = phaseIn(ARGO_HOOK, argo, ARGO) ?? phaseIn(HELM_HOOK, helm, HELM);
  const wave = waveOf(tree, ARGO_WAVE) ?? (helm === undefined ? undefined : waveOf(tree, HELM_WEIGHT));
  if (phase === undefined && wave === undefined) return undefined;
  return { phase: phase ?? 0, wave: wave ?? 0 };
}

export function compareTurns(a: Turn, b: Turn): number {
  return a.phase - b.phase || a.wave - b.wave;
}

export function displayTurn({ phase, wave }: Turn): string {
  const names = { [-1]: 'PreSync, ', 0: '', 1: 'PostSync, ' } as const;
  return `${names[phase]}wave ${wave}`;
}

/** A hook that runs at some time that a sync does not know is refused (docs/order.md has the table). */
const ARGO: ReadonlyMap<string, Phase> = new Map([
  ['PreSync', -1],
  ['Sync', 0],
  ['PostSync', 1],
]);
const HELM: ReadonlyMap<string, Phase> = new Map([
  ['crd-install', 0],
  ['pre-install', -1],
  ['pre-upgrade', -1],
  ['post-install', 1],
  ['post-upgrade', 1],
]);

function phaseIn(key: string, value: string | undefined, known: ReadonlyMap<string, Phase>): Phase | undefined {
  if (value === undefined) return undefined;
  const hooks = value.split(',').map((hook) => hook.trim());
  const phases = new Set(hooks.flatMap((hook) => known.get(hook) ?? []));
  const [phase] = phases;
  // Helm's lists name several moments of one thing: what is known decides.
  const isPart = key === HELM_HOOK || hooks.every((hook) => known.has(hook));
  if (phase !== undefined && phases.size === 1 && isPart) return phase;
  throw new SottoError({
    code: 'SOTTO-PLAN-064',
    what: `the hook ${JSON.stringify(value.slice(0, 100))} is not run`,
    why:
      phases.size > 1
        ? 'it is to run both before and after the rest, and an object is applied once'
        : `a sync has no such moment; it knows ${[...known.keys()].join(', ')}`,
    next: `remove the annotation ${key}, or the object from the path`,
    key: `metadata.annotations.${key}`,
  });
}

function waveOf(tree: ClosedObject, key: string): number | undefined {
  const text = annotation(tree, key);
  if (text === undefined) return undefined;
  if (/^[+-]?\d{1,9}$/.test(text.trim())) return Number(text);
  throw new SottoError({
    code: 'SOTTO-PLAN-063',
    what: `${key} is not a whole number`,
    why: `${JSON.stringify(text.slice(0, 100))} says no place in the order`,
    next: `write a number such as "-1" or "5" into the annotation, in quotes`,
    key: `metadata.annotations.${key}`,
  });
}

export function annotation(tree: ClosedObject, key: string): string | undefined {
  return stringAt(tree, 'metadata', 'annotations', key);
}
