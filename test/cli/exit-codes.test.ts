import { describe, expect, it } from 'vitest';
import { CODES, type Code } from '../../src/core/codes.ts';
import { EXIT, exitOf, exitOfFinding, strongestExit } from '../../src/cli/exit-codes.ts';

const codes = Object.keys(CODES) as Code[];

describe('exit codes', () => {
  it('follow the order of the product page when several apply', () => {
    const order = [130, 2, 3, 5, 4, 6, 1, 0] as const;
    for (const [index, code] of order.entries()) expect(strongestExit(order.slice(index).toReversed())).toBe(code);
    expect(strongestExit([])).toBe(EXIT.ok);
  });

  it('exist for every error code, and none of them is 0 or 130', () => {
    for (const code of codes) expect([1, 2, 3, 4, 5, 6]).toContain(exitOf(code));
  });

  it.each([
    ['SOTTO-CONF-001', 2],
    ['SOTTO-KUBE-001', 3],
    ['SOTTO-GIT-001', 3],
    ['SOTTO-KUBE-003', 5],
    ['SOTTO-GIT-007', 5],
    ['SOTTO-SOPS-001', 4],
    ['SOTTO-SOPS-060', 4],
    ['SOTTO-SOPS-061', 2],
    ['SOTTO-SOPS-062', 2],
    ['SOTTO-SOPS-063', 2],
    ['SOTTO-AGE-001', 4],
    ['SOTTO-SEAL-001', 4],
    ['SOTTO-YAML-001', 2],
    ['SOTTO-PLAN-001', 1],
    // As the help of `sotto rotate` says.
    ['SOTTO-ROTATE-016', 1],
    ['SOTTO-ROTATE-008', 3],
    ['SOTTO-ROTATE-014', 3],
    ['SOTTO-ROTATE-015', 3],
    ['SOTTO-ROTATE-051', 3],
    ['SOTTO-ROTATE-002', 6],
  ] as const)('say what kind of thing went wrong: %s ends with %i', (code, exit) => {
    expect(exitOf(code)).toBe(exit);
  });

  it('call a bad manifest in Git a finding, but bad settings what they are', () => {
    expect(exitOfFinding('SOTTO-YAML-001')).toBe(1);
    expect(exitOfFinding('SOTTO-CONF-001')).toBe(2);
    expect(exitOfFinding('SOTTO-SOPS-001')).toBe(4);
  });
});
