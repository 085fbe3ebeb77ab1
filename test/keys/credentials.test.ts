import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CredentialRequest, gitAccess } from '../../src/keys/credentials.ts';
import { coversUrl, plainUrl } from '../../src/keys/url-prefix.ts';
import { bytesOf, errorOf, VECTOR_CERTIFICATE } from '../sealed/material.ts';
import { keySecret } from './key-secrets.ts';

const URL_TEXT = 'https://git.example.com/team/app.git';
const request: CredentialRequest = { use: 'git', sourceUrl: URL_TEXT, namespace: 'team', allowSources: [] };
const BASIC = { username: 'robot', password: 'hunter2' };

function marked(entries: Record<string, string> = BASIC, prefix = 'https://git.example.com/team', use = 'git') {
  return keySecret('git-auth', entries, { labels: { 'sotto.dev/use': use }, annotations: { 'sotto.dev/for': prefix } });
}

function segments(path: string): string[] {
  return path.split('/').filter((each) => each !== '');
}

describe('which credential may go where', () => {
  it.each([
    'https://git.example.com',
    'https://git.example.com/',
    'https://GIT.example.com:443/team',
    'https://git.example.com/team/',
    URL_TEXT,
  ])('is used for a source below %s', (prefix) => {
    expect(gitAccess(marked(BASIC, prefix), request).credential.kind).toBe('basic');
  });

  it.each([
    'https://git.example.com/tea',
    'https://git.example.com/team/app',
    'https://git.example.com/team/app.git/x',
    'https://git.example.com/other',
    'http://git.example.com/team',
    'https://git.example.com:8443/team',
    'https://git.example.com.evil.example/team',
    'https://example.com/team',
  ])('is not used for a source that is not below %s', async (prefix) => {
    const error = await errorOf(() => gitAccess(marked(BASIC, prefix), request));
    expect(error.code).toBe('SOTTO-KEYS-013');
    expect(error.next).toContain(`kubectl annotate secret git-auth -n team sotto.dev/for=${URL_TEXT} --overwrite`);
  });

  it.each([
    'https://git.example.com/team/../other/app.git',
    'https://git.example.com/team/%2e%2e/other/app.git',
    'https://git.example.com/team%2f..%2fother/app.git',
    'https://git.example.com/team/..%5cother/app.git',
    'https://git.example.com\\@evil.example/team/app.git',
    'https://git.example.com@evil.example/team/app.git',
    'https://@git.example.com/team/app.git',
    'https://user:pass@git.example.com/team/app.git',
    'https:git.example.com@evil.example/team/app.git',
    'https://git.example.com/team/app.git?x=/team',
    'https://git.example.com/team/app.git#x',
    ' https://git.example.com/team/app.git',
    'https://git.example.com/team/\u202eapp.git',
    'ssh://git@git.example.com/team/app.git',
    'git@git.example.com:team/app.git',
    'file:///etc',
    '',
  ])('is never used for the ambiguous source %j', async (sourceUrl) => {
    const error = await errorOf(() => gitAccess(marked(), { ...request, sourceUrl }));
    expect(error.code).toMatch(/^SOTTO-KEYS-01[34]$/);
    expect(error.text()).not.toContain('hunter2');
  });

  it('prints the exact commands for a Secret without marks', async () => {
    const error = await errorOf(() => gitAccess(keySecret('git-auth', BASIC), request));
    expect(error.code).toBe('SOTTO-KEYS-010');
    expect(error.next).toBe(
      `kubectl label secret git-auth -n team sotto.dev/use=git && kubectl annotate secret git-auth -n team sotto.dev/for=${URL_TEXT}`,
    );
  });

  it('quotes for the shell what comes from settings', async () => {
    const sourceUrl = "https://git.example.com/$(id)';x";
    const error = await errorOf(() => gitAccess(keySecret('git-auth', BASIC), { ...request, sourceUrl }));
    expect(error.next).toContain("'sotto.dev/for=https://git.example.com/$(id)'\\'';x'");
  });

  it('asks for the annotation alone where the label is there', async () => {
    const secret = keySecret('git-auth', BASIC, { labels: { 'sotto.dev/use': 'git' } });
    const error = await errorOf(() => gitAccess(secret, request));
    expect(error.code).toBe('SOTTO-KEYS-012');
    expect(error.next).not.toContain('kubectl label');
  });

  it('takes --allow-source instead of marks, but not against them', async () => {
    const allowed = { ...request, allowSources: ['https://other.example', 'https://git.example.com/team'] };
    expect(gitAccess(keySecret('git-auth', BASIC), allowed).credential.kind).toBe('basic');
    const elsewhere = { ...request, allowSources: ['https://git.example.com/other'] };
    expect((await errorOf(() => gitAccess(keySecret('git-auth', BASIC), elsewhere))).code).toBe('SOTTO-KEYS-010');
    const otherPrefix = marked(BASIC, 'https://git.example.com/other');
    expect((await errorOf(() => gitAccess(otherPrefix, allowed))).code).toBe('SOTTO-KEYS-013');
    for (const use of ['keys', 'git-write', 'registry']) {
      const otherUse = marked(BASIC, 'https://git.example.com', use);
      expect((await errorOf(() => gitAccess(otherUse, allowed))).code).toBe('SOTTO-KEYS-011');
    }
    const sealing = keySecret('k', BASIC, { labels: { 'sealedsecrets.bitnami.com/sealed-secrets-key': 'old' } });
    expect((await errorOf(() => gitAccess(sealing, allowed))).code).toBe('SOTTO-KEYS-011');
  });

  it('never lets a prefix cover another origin or a neighbouring path', () => {
    const segment = fc.stringMatching(/^[a-z0-9.-]{1,6}$/);
    const path = fc.array(segment, { maxLength: 4 }).map((each) => each.map((name) => `/${name}`).join(''));
    fc.assert(
      fc.property(fc.constantFrom('a.example', 'b.example', 'a.example:8443'), path, path, (host, prefix, below) => {
        const outer = plainUrl(`https://a.example${prefix}`);
        const inner = plainUrl(`https://${host}${below}`);
        if (outer === undefined || inner === undefined) return;
        const expected =
          host === 'a.example' && segments(outer.path).every((each, index) => segments(inner.path)[index] === each);
        expect(coversUrl(outer, inner)).toBe(expected);
      }),
    );
  });
});

describe('what a Git Secret holds', () => {
  it('is user and password, a token, or an authority alone', () => {
    const basic = gitAccess(marked(), request);
    if (basic.credential.kind !== 'basic') throw new Error('not basic');
    expect(Buffer.from(basic.credential.password.reveal()).toString()).toBe('hunter2');
    expect(basic.caCertificate).toBeUndefined();
    expect(gitAccess(marked({ bearerToken: 't' }), request).credential.kind).toBe('bearer');
    const authority = gitAccess(marked({ 'ca.crt': VECTOR_CERTIFICATE }), request);
    expect(authority.credential.kind).toBe('none');
    expect(authority.caCertificate).toEqual(bytesOf(VECTOR_CERTIFICATE));
  });

  it('keeps the certificate when the entries are wiped', () => {
    const secret = marked({ ...BASIC, 'ca.crt': VECTOR_CERTIFICATE });
    const { caCertificate } = gitAccess(secret, request);
    for (const value of secret.entries.values()) value.wipe();
    expect(caCertificate).toEqual(bytesOf(VECTOR_CERTIFICATE));
  });

  it.each<[Record<string, string>, string]>([
    [{}, 'SOTTO-KEYS-015'],
    [{ user: 'x', pass: 'hunter2' }, 'SOTTO-KEYS-015'],
    [{ username: 'robot' }, 'SOTTO-KEYS-016'],
    [{ password: 'hunter2' }, 'SOTTO-KEYS-016'],
    [{ username: 'robot', password: '' }, 'SOTTO-KEYS-016'],
    [{ ...BASIC, bearerToken: 'hunter2' }, 'SOTTO-KEYS-016'],
    [{ bearerToken: '' }, 'SOTTO-KEYS-016'],
    [{ identity: 'hunter2', known_hosts: 'x' }, 'SOTTO-KEYS-017'],
    [{ ...BASIC, 'tls.crt': 'x', 'tls.key': 'hunter2' }, 'SOTTO-KEYS-017'],
    [{ ...BASIC, 'ca.crt': 'hunter2' }, 'SOTTO-KEYS-018'],
  ])('is refused as %j', async (entries, code) => {
    const error = await errorOf(() => gitAccess(marked(entries), request));
    expect(error.code).toBe(code);
    expect(error.place.object).toBe('Secret/git-auth');
    expect(error.text()).not.toContain('hunter2');
  });
});
