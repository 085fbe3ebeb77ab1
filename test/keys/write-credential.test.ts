import { describe, expect, it } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import type { SecretMark } from '../../src/keys/key-secret.ts';
import { writeSecret } from '../../src/keys/write-credential.ts';

const SOURCE = 'https://git.example.com/team/app.git';
const request = { sourceUrl: SOURCE, namespace: 'team' };

function marked(name: string, use: string | undefined, url: string | undefined): SecretMark {
  return {
    name,
    labels: use === undefined ? {} : { 'sotto.dev/use': use },
    annotations: url === undefined ? {} : { 'sotto.dev/for': url },
  };
}

function refusal(secrets: readonly SecretMark[]): SottoError {
  try {
    writeSecret(secrets, request);
  } catch (thrown) {
    if (thrown instanceof SottoError) return thrown;
    throw thrown;
  }
  throw new Error('it was taken');
}

describe('the Secret that a branch is pushed with', () => {
  it('says of itself that it is for writing, and where', () => {
    const push = marked('push', 'git-write', 'https://git.example.com/team');
    expect(writeSecret([marked('read', 'git', SOURCE), push], request)).toBe(push);
  });

  it.each([['git'], ['keys'], ['registry'], [undefined]])('is none with the use %s', (use) => {
    const error = refusal([marked('one', use, SOURCE)]);
    expect(error.code).toBe('SOTTO-ROTATE-020');
    expect(error.next).toContain('kubectl create secret generic git-push -n team');
    expect(error.next).toContain('kubectl label secret git-push -n team sotto.dev/use=git-write');
    expect(error.next).toContain(`kubectl annotate secret git-push -n team sotto.dev/for=${SOURCE}`);
  });

  it('is none that is for another place, for a path beside it, or for no place', () => {
    for (const url of ['https://git.example.com/team2', 'https://git.example.org/team', undefined]) {
      const error = refusal([marked('push', 'git-write', url)]);
      expect(error.code).toBe('SOTTO-ROTATE-020');
      expect(error.why).toContain('Secret push is for writing, but');
      expect(error.next).toBe(`kubectl annotate secret push -n team --overwrite sotto.dev/for=${SOURCE}`);
    }
  });

  it('is none that is a sealing key besides', () => {
    const push = marked('push', 'git-write', SOURCE);
    const sealing = { ...push, labels: { ...push.labels, 'sealedsecrets.bitnami.com/sealed-secrets-key': 'active' } };
    expect(refusal([sealing]).code).toBe('SOTTO-ROTATE-020');
  });

  it('is only one: two are told by name', () => {
    const error = refusal([marked('b', 'git-write', SOURCE), marked('a', 'git-write', 'https://git.example.com')]);
    expect(error).toMatchObject({ code: 'SOTTO-ROTATE-021', why: 'Secrets a and b are all for it' });
  });
});
