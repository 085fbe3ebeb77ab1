import { SottoError } from '../core/errors.ts';
import type { LiftableVeto } from '../settings/settings.ts';
import { agentObject } from './veto-agent-object.ts';
import { agentRights } from './veto-rbac.ts';
import { agentAccount, keyLabel, keyMount } from './veto-references.ts';
import type { Finding, Vetoed, VetoRules } from './veto-rules.ts';

interface Veto {
  readonly code: 'SOTTO-PLAN-020' | 'SOTTO-PLAN-021' | 'SOTTO-PLAN-022' | 'SOTTO-PLAN-023' | 'SOTTO-PLAN-024';
  /** Its name in `vetoes.allow`; undefined: it cannot be lifted. */
  readonly lift: LiftableVeto | undefined;
  readonly why: string;
  readonly next: string;
  find(object: Vetoed, rules: VetoRules): Finding | undefined;
}

const VETOES: readonly Veto[] = [
  {
    code: 'SOTTO-PLAN-020',
    lift: undefined,
    why: 'what comes from Git must not change who applies it, by which settings and with which keys',
    next: 'take the object out of the repository or give it another name; the agent itself is changed by whoever installed it',
    find: agentObject,
  },
  {
    code: 'SOTTO-PLAN-024',
    lift: 'key-label',
    why: 'such a mark makes a Secret one of the agent’s own keys or credentials',
    next: 'remove the mark; whoever installed the agent sets it on the live Secret',
    find: keyLabel,
  },
  {
    code: 'SOTTO-PLAN-021',
    lift: 'key-mount',
    why: 'whoever may push could read the key from there, and with it every encrypted file',
    next: 'give the workload a Secret of its own',
    find: keyMount,
  },
  {
    code: 'SOTTO-PLAN-022',
    lift: 'agent-account',
    why: 'the account may read every Secret that the agent may read',
    next: 'give the workload an account of its own',
    find: agentAccount,
  },
  {
    code: 'SOTTO-PLAN-023',
    lift: 'agent-rbac',
    why: 'whoever may push could hand the keys to anybody that way',
    next: 'narrow the rules (docs/threat-model.md has the list), or have the platform team apply the object',
    find: agentRights,
  },
];

/** Throws for what whoever may push must not do by default (docs/threat-model.md). Pure: same object, same answer. */
export function refuseVetoed(
  object: Vetoed,
  rules: VetoRules,
  lineAt: (path: readonly string[]) => number | undefined,
): void {
  for (const veto of VETOES) {
    if (veto.lift !== undefined && rules.lifted.includes(veto.lift)) continue;
    const found = veto.find(object, rules);
    if (found !== undefined) throw vetoError(veto, found, lineAt(found.path));
  }
}

/** For what can only be judged with a look at the live object: a binding to a Role that is not in Git as it is live. */
export function rightsVeto(what: string): SottoError {
  const veto = VETOES.find(({ code }) => code === 'SOTTO-PLAN-023');
  if (veto === undefined) throw new TypeError('no veto for rights');
  return vetoError(veto, { what, path: ['roleRef', 'name'] }, undefined);
}

function vetoError({ code, lift, why, next }: Veto, { what, path }: Finding, line: number | undefined): SottoError {
  const lifting =
    lift === undefined ? '' : `; where pushing may mean that, settings lift it: vetoes: { allow: [ ${lift} ] }`;
  return new SottoError({
    code,
    what,
    why,
    next: `${next}${lifting}`,
    ...(path.length === 0 ? {} : { key: path.join('.') }),
    line,
  });
}
