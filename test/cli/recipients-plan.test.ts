import { describe, expect, it } from 'vitest';
import { type Coverage, coverageOf } from '../../src/authoring/coverage.ts';
import { planAdd, planRemove } from '../../src/cli/recipients/change.ts';
import type { PolicyFile } from '../../src/cli/recipients/coverage.ts';
import { findingsOf } from '../../src/cli/recipients/report.ts';
import { encryptFile } from '../../src/sops/encrypt-file.ts';
import { makeIdentity } from '../../src/sops/make-identity.ts';
import { readPolicy } from '../../src/sops/policy.ts';

const NOW = new Date('2027-01-31T12:00:00Z');
const [KIM, LEE, MAX] = [1, 2, 3].map(() => makeIdentity(NOW).identity.recipient) as [string, string, string];

function rules(text: string): PolicyFile {
  const bytes = Uint8Array.from(Buffer.from(text));
  const input = { path: '/.sops.yaml', name: '.sops.yaml', isStdin: false, bytes };
  return { input, folder: '/', text, policy: readPolicy(text, '.sops.yaml') };
}

async function covered(recipients: readonly string[], { policy }: PolicyFile): Promise<Coverage> {
  const text = await encryptFile(Buffer.from('a: b\n'), { format: 'yaml', file: 'a.yaml', recipients, now: NOW });
  const bytes = Uint8Array.from(Buffer.from(text));
  return coverageOf({ path: '/a.yaml', below: 'a.yaml', name: 'a.yaml', format: 'yaml', text, bytes }, policy);
}

const flat = (...names: readonly string[]): string => `creation_rules:\n- age: ${names.join(',')}\n`;

describe('a change of recipients', () => {
  it('makes a new data key for whoever leaves, and keeps it for whoever comes', async () => {
    const policy = rules(flat(KIM, LEE));
    const file = await covered([KIM, LEE], policy);
    const leaving = planRemove({ field: 'age', text: LEE }, [file], policy, {});
    expect(leaving.files).toMatchObject([{ removed: [LEE], mode: 'new-data-key' }]);
    const coming = planAdd({ field: 'age', text: MAX }, [file], policy, {});
    expect(coming.files).toMatchObject([{ added: [MAX], mode: 'same-data-key' }]);
  });

  it('makes a new data key where a file gets other groups: alone, each of its recipients has had the one of before', async () => {
    const policy = rules(`creation_rules:\n- {shamir_threshold: 2, key_groups: [{age: [${KIM}]}, {age: [${LEE}]}]}\n`);
    const file = await covered([KIM, LEE], policy);
    const { files } = planAdd({ field: 'age', text: MAX }, [file], policy, { group: '2' });
    expect(files).toMatchObject([{ removed: [], mode: 'new-data-key', rule: { groups: [[KIM], [LEE, MAX]] } }]);
  });
});

describe('the check of recipients', () => {
  it('finds a file that no rule speaks of, and whom a file has and its rule has not', async () => {
    const elsewhere = rules(`creation_rules:\n- {path_regex: ^b, age: ${KIM}}\n`);
    expect(findingsOf([await covered([KIM], elsewhere)], elsewhere)).toMatchObject([
      { file: 'a.yaml', code: 'SOTTO-SOPS-019' },
    ]);
    const policy = rules(flat(KIM));
    expect(findingsOf([await covered([KIM], policy)], policy)).toEqual([]);
    expect(findingsOf([await covered([KIM, LEE], policy)], policy)).toMatchObject([{ code: 'SOTTO-CLI-217' }]);
    const wider = rules(flat(KIM, LEE));
    expect(findingsOf([await covered([KIM], wider)], wider)).toMatchObject([{ code: 'SOTTO-CLI-217' }]);
  });
});
