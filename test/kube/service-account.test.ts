import { describe, expect, it } from 'vitest';
import { accountOf, serviceAccountOf, serviceAccountUser } from '../../src/kube/service-account.ts';

const token = (payload: string): string => `h.${Buffer.from(payload).toString('base64url')}.s`;

describe('who asks', () => {
  it('is the account of the token, wherever the token comes from', () => {
    const headers = { Authorization: `Bearer ${token('{"sub":"system:serviceaccount:team:deployer"}')}` };
    expect(accountOf(headers)).toEqual({ namespace: 'team', name: 'deployer' });
  });

  it.each([
    {},
    { Authorization: 'Basic abc' },
    { Authorization: 'Bearer opaque' },
    { Authorization: `Bearer ${token('no json')}` },
    { Authorization: `Bearer ${token('{"sub":"alice"}')}` },
    { Authorization: `Bearer ${token('[]')}` },
  ])('is no account otherwise (%#)', (headers) => {
    expect(accountOf(headers)).toBeUndefined();
  });

  it('is written as RBAC writes it', () => {
    expect(serviceAccountOf(serviceAccountUser('team', 'deployer'))).toEqual({ namespace: 'team', name: 'deployer' });
    expect(serviceAccountOf('system:serviceaccount:team')).toBeUndefined();
    expect(serviceAccountOf('system:serviceaccount:a:b:c')).toBeUndefined();
  });
});
