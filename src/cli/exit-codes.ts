import type { Code } from '../core/codes.ts';

/** The exit codes that scripts hold on to. */
export const EXIT = {
  ok: 0,
  /** Findings: differences, status not Ready. */
  findings: 1,
  /** Usage, settings or input that cannot be used; also a defect of sotto, so that it is never taken for findings. */
  usage: 2,
  /** Cluster or Git unreachable. */
  unreachable: 3,
  cannotDecrypt: 4,
  forbidden: 5,
  /** Partly done; resuming is possible. */
  partly: 6,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Which one counts when several apply, strongest first. */
const PRECEDENCE: readonly ExitCode[] = [130, 2, 3, 5, 4, 6, 1, 0];

export function strongestExit(codes: readonly ExitCode[]): ExitCode {
  return PRECEDENCE.find((code) => codes.includes(code)) ?? EXIT.ok;
}

const EXIT_BY_AREA: Readonly<Record<string, ExitCode>> = {
  AGE: EXIT.cannotDecrypt,
  CLI: EXIT.usage,
  CONF: EXIT.usage,
  GIT: EXIT.unreachable,
  GUARD: EXIT.findings,
  KEYS: EXIT.cannotDecrypt,
  KUBE: EXIT.unreachable,
  OCI: EXIT.unreachable,
  PLAN: EXIT.findings,
  RENDER: EXIT.usage,
  ROTATE: EXIT.usage,
  SEAL: EXIT.cannotDecrypt,
  SOPS: EXIT.cannotDecrypt,
  YAML: EXIT.usage,
};

/** Codes whose meaning differs from that of their area. */
const EXCEPTIONS: readonly { readonly exit: ExitCode; readonly codes: readonly Code[] }[] = [
  // No key is at hand.
  {
    exit: EXIT.cannotDecrypt,
    codes: ['SOTTO-CLI-008', 'SOTTO-CLI-097', 'SOTTO-CLI-114'],
  },
  // An agent without a status is one that is not Ready, and one without a Pod is none.
  {
    exit: EXIT.findings,
    codes: ['SOTTO-CLI-010', 'SOTTO-CLI-082', 'SOTTO-CLI-064'],
  },
  // There is nothing to keep, or no place for it.
  {
    exit: EXIT.findings,
    codes: ['SOTTO-CLI-197', 'SOTTO-CLI-198', 'SOTTO-CLI-199', 'SOTTO-CLI-201', 'SOTTO-CLI-202'],
  },
  {
    exit: EXIT.unreachable,
    codes: ['SOTTO-CLI-200'],
  },
  // A push that others were faster with, and one that was not taken.
  {
    exit: EXIT.findings,
    codes: ['SOTTO-CLI-273'],
  },
  {
    exit: EXIT.unreachable,
    codes: ['SOTTO-CLI-272'],
  },
  // The files, not the command.
  {
    exit: EXIT.findings,
    codes: ['SOTTO-CLI-216', 'SOTTO-CLI-217'],
  },
  // The files, again.
  {
    exit: EXIT.findings,
    codes: [
      'SOTTO-ROTATE-006',
      'SOTTO-ROTATE-007',
      'SOTTO-ROTATE-011',
      'SOTTO-ROTATE-016',
      'SOTTO-ROTATE-018',
      'SOTTO-ROTATE-028',
      'SOTTO-ROTATE-030',
      'SOTTO-ROTATE-070',
      'SOTTO-ROTATE-071',
      'SOTTO-ROTATE-072',
    ],
  },
  // Resuming is possible.
  {
    exit: EXIT.partly,
    codes: ['SOTTO-ROTATE-002', 'SOTTO-ROTATE-004'],
  },
  {
    exit: EXIT.findings,
    codes: ['SOTTO-KEYS-063', 'SOTTO-KEYS-064', 'SOTTO-KEYS-067', 'SOTTO-KEYS-081', 'SOTTO-KEYS-102'],
  },
  {
    exit: EXIT.usage,
    codes: [
      'SOTTO-KEYS-061',
      'SOTTO-KEYS-066',
      'SOTTO-KEYS-082',
      'SOTTO-KEYS-090',
      'SOTTO-KEYS-091',
      'SOTTO-KEYS-092',
      'SOTTO-KEYS-093',
    ],
  },
  {
    exit: EXIT.unreachable,
    codes: [
      'SOTTO-KEYS-065',
      'SOTTO-KEYS-094',
      'SOTTO-ROTATE-008',
      'SOTTO-ROTATE-014',
      'SOTTO-ROTATE-015',
      'SOTTO-ROTATE-051',
    ],
  },
  // The log was being read.
  {
    exit: EXIT.unreachable,
    codes: ['SOTTO-CLI-084'],
  },
  // Nobody is there to do it.
  {
    exit: EXIT.unreachable,
    codes: ['SOTTO-CLI-046'],
  },
  // It may be there with the next pass.
  {
    exit: EXIT.unreachable,
    codes: ['SOTTO-RENDER-064', 'SOTTO-RENDER-065', 'SOTTO-RENDER-068'],
  },
  // It goes on by itself.
  {
    exit: EXIT.findings,
    codes: ['SOTTO-CLI-047'],
  },
  // A recipient, not an identity.
  {
    exit: EXIT.usage,
    codes: ['SOTTO-AGE-007', 'SOTTO-AGE-008', 'SOTTO-AGE-009'],
  },
  // The input or the rules, not the keys.
  {
    exit: EXIT.usage,
    codes: [
      'SOTTO-SOPS-002',
      'SOTTO-SOPS-008',
      'SOTTO-SOPS-009',
      'SOTTO-SOPS-010',
      'SOTTO-SOPS-013',
      'SOTTO-SOPS-014',
      'SOTTO-SOPS-015',
      'SOTTO-SOPS-016',
      'SOTTO-SOPS-017',
      'SOTTO-SOPS-018',
      'SOTTO-SOPS-019',
      'SOTTO-SOPS-020',
      'SOTTO-SOPS-021',
      'SOTTO-SOPS-022',
      'SOTTO-SOPS-023',
      'SOTTO-SOPS-040',
      'SOTTO-SOPS-041',
      'SOTTO-SOPS-042',
      'SOTTO-SOPS-043',
      'SOTTO-SOPS-050',
      'SOTTO-SOPS-051',
      'SOTTO-SOPS-052',
      'SOTTO-SOPS-053',
      'SOTTO-SOPS-054',
      'SOTTO-SOPS-055',
      'SOTTO-SOPS-056',
      'SOTTO-SOPS-058',
      'SOTTO-SOPS-059',
      'SOTTO-SOPS-061',
      'SOTTO-SOPS-062',
      'SOTTO-SOPS-063',
    ],
  },
  // The manifest or the certificate, not the keys.
  {
    exit: EXIT.usage,
    codes: [
      'SOTTO-SEAL-003',
      'SOTTO-SEAL-006',
      'SOTTO-SEAL-007',
      'SOTTO-SEAL-008',
      'SOTTO-SEAL-009',
      'SOTTO-SEAL-010',
      'SOTTO-SEAL-011',
      'SOTTO-SEAL-012',
      'SOTTO-SEAL-013',
      'SOTTO-SEAL-015',
      'SOTTO-SEAL-016',
      'SOTTO-SEAL-017',
      'SOTTO-SEAL-018',
      'SOTTO-SEAL-019',
      'SOTTO-SEAL-020',
      'SOTTO-SEAL-021',
      'SOTTO-SEAL-022',
      'SOTTO-SEAL-023',
      'SOTTO-SEAL-024',
    ],
  },
  // Credentials of a source: without them it is not reached.
  {
    exit: EXIT.unreachable,
    codes: [
      'SOTTO-KEYS-010',
      'SOTTO-KEYS-011',
      'SOTTO-KEYS-012',
      'SOTTO-KEYS-013',
      'SOTTO-KEYS-014',
      'SOTTO-KEYS-015',
      'SOTTO-KEYS-016',
      'SOTTO-KEYS-017',
      'SOTTO-KEYS-018',
      'SOTTO-KEYS-019',
    ],
  },
  // The fingerprint key: a person has to put it back.
  {
    exit: EXIT.usage,
    codes: ['SOTTO-KEYS-020', 'SOTTO-KEYS-021', 'SOTTO-KEYS-100', 'SOTTO-KEYS-101'],
  },
  // Credentials that were refused.
  {
    exit: EXIT.forbidden,
    codes: ['SOTTO-GIT-006', 'SOTTO-GIT-007', 'SOTTO-GIT-008'],
  },
  // Addresses and names from the settings.
  {
    exit: EXIT.usage,
    codes: ['SOTTO-GIT-002', 'SOTTO-GIT-003', 'SOTTO-GIT-004', 'SOTTO-GIT-005', 'SOTTO-GIT-017'],
  },
  // The repository was reached; what is in it is at fault.
  {
    exit: EXIT.findings,
    codes: [
      'SOTTO-GIT-015',
      'SOTTO-GIT-016',
      'SOTTO-GIT-018',
      'SOTTO-GIT-019',
      'SOTTO-GIT-020',
      'SOTTO-GIT-021',
      'SOTTO-GIT-022',
      'SOTTO-GIT-023',
      'SOTTO-GIT-024',
      'SOTTO-GIT-026',
      'SOTTO-GIT-027',
      'SOTTO-GIT-033',
    ],
  },
  // The server knows us not, or not for this.
  {
    exit: EXIT.forbidden,
    codes: ['SOTTO-KUBE-002', 'SOTTO-KUBE-003', 'SOTTO-CLI-052', 'SOTTO-CLI-061'],
  },
  // The server answered, and would not have this one object.
  {
    exit: EXIT.findings,
    codes: [
      'SOTTO-KUBE-004',
      'SOTTO-KUBE-005',
      'SOTTO-KUBE-006',
      'SOTTO-KUBE-007',
      'SOTTO-KUBE-008',
      'SOTTO-KUBE-009',
      'SOTTO-KUBE-010',
      'SOTTO-KUBE-011',
      'SOTTO-KUBE-012',
      'SOTTO-KUBE-013',
      'SOTTO-KUBE-014',
      'SOTTO-KUBE-018',
      'SOTTO-KUBE-025',
      'SOTTO-KUBE-026',
    ],
  },
  // No request was sent: what names the cluster or the user is wrong.
  {
    exit: EXIT.usage,
    codes: ['SOTTO-KUBE-019', 'SOTTO-KUBE-020', 'SOTTO-KUBE-021', 'SOTTO-KUBE-022', 'SOTTO-KUBE-023'],
  },
];

const EXIT_BY_CODE: ReadonlyMap<Code, ExitCode> = new Map(
  EXCEPTIONS.flatMap(({ exit, codes }) => codes.map((code): [Code, ExitCode] => [code, exit])),
);

/** How a command ends that was stopped by this error. */
export function exitOf(code: Code): ExitCode {
  const area = /^SOTTO-([A-Z]+)-/.exec(code)?.[1] ?? '';
  return EXIT_BY_CODE.get(code) ?? EXIT_BY_AREA[area] ?? EXIT.usage;
}

/**
 * The same for a command that went on and reports it about one object (`agent --once`, `diff`): a bad manifest in Git
 * is a finding there, and not a mistake on the command line.
 */
export function exitOfFinding(code: Code): ExitCode {
  const exit = exitOf(code);
  return exit === EXIT.usage && !code.startsWith('SOTTO-CONF-') ? EXIT.findings : exit;
}
