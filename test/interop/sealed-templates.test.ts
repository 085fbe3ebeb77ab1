import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type JsonObject, memberAt, parseJson } from '../../src/core/json.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { type SealingCertificate, sealingCertificate } from '../../src/sealed/certificate.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { sealLabel } from '../../src/sealed/scope.ts';
import { sealValue } from '../../src/sealed/seal.ts';
import { sotto } from '../cli/session.ts';
import { describeReal } from '../harness/real.ts';
import { runStock } from '../harness/stock.ts';
import { sealedManifest } from '../sealed/material.ts';

const NAMES = ['user', 'password', '_x9', 'my-key', 'my.key', 'gone'];

/** `{{ … }}` of the subset, with the names that are there. */
const operand: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('user', 'password', '_x9', 'clear', 'raw').map((name) => `.${name}`),
  fc.constantFrom(...NAMES).map((name) => `(index . "${name}")`),
  fc.constantFrom('`my-key`', '"my.key"').map((name) => `(index . ${name})`),
  fc.constantFrom('"{{"', '`}}`', '"a\\n\\t\\"\\\\"', '"ü"').map((literal) => literal),
);
const pipeline = fc.tuple(operand, fc.nat({ max: 2 }), fc.boolean()).map(([of, times, first]) => {
  const piped = `${of}${' | b64enc'.repeat(times)}`;
  return first ? `b64enc ${of}${' | b64enc'.repeat(times)}` : piped;
});
const blank = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
const action = fc
  .tuple(pipeline, fc.boolean(), fc.boolean(), blank)
  .map(([of, left, right, space]) => `{{${left ? '- ' : space}${of}${right ? ' -' : space}}}`);
const comment = fc.constantFrom('{{/* }} */}}', '{{- /* a */ -}}', '{{/* b */ -}}');
const around = fc.oneof(
  blank,
  fc.string({ maxLength: 6 }).filter((text) => !/[{]/.test(text)),
);
const template = fc
  .array(fc.oneof({ weight: 3, arbitrary: action }, { weight: 1, arbitrary: comment }, around), { maxLength: 6 })
  .map((parts) => parts.join(''));

/** kubeseal prints an empty value as null. */
function emptied(data: unknown): unknown {
  return Object.fromEntries(
    Object.entries(data ?? {}).map(([key, value]) => [key, value === null ? '' : String(value)]),
  );
}

describeReal('template.data', ['kubeseal'], () => {
  let folder = '';
  let certificate: SealingCertificate;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sotto-templates-'));
    const now = new Date();
    const made = await makeSealingCertificate({ now, modulusBits: 2048 });
    certificate = sealingCertificate(made.certificatePem, now);
    await writeFile(join(folder, 'tls.key'), made.keyPem.reveal(), { mode: 0o600 });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const label = sealLabel({ scope: 'strict', namespace: 'team', name: 'db' });
  const sealedWith = (data: JsonObject, values: Readonly<Record<string, Uint8Array>>): string => {
    const items = Object.entries(values).map(([key, value]) => [
      key,
      sealValue(Sensitive.copyOf(value), certificate, label),
    ]);
    return JSON.stringify(sealedManifest({ encryptedData: Object.fromEntries(items), template: { data } }));
  };
  const theirs = async (manifest: string): Promise<unknown> => {
    const args = ['--recovery-unseal', '--recovery-private-key', join(folder, 'tls.key')];
    const { code, stdout, stderr } = await runStock('kubeseal', args, { stdin: manifest });
    if (code !== 0) throw new Error(`${stderr}\n${manifest}`);
    return memberAt(parseJson(stdout.toString()), 'data');
  };
  const ours = async (manifest: string): Promise<unknown> => {
    const { exit, stdout, stderr } = await sotto(['unseal', '--key-file', 'tls.key', '-o', 'json', '-'], {
      cwd: folder,
      stdin: manifest,
    });
    if (exit !== 0) throw new Error(`${stderr}\n${manifest}`);
    return memberAt(parseJson(stdout), 'data');
  };
  const VALUES = {
    user: Buffer.from('alice'),
    password: Buffer.from([0, 255, 10, 123, 123]),
    _x9: Buffer.from(' {{ .user }} '),
    'my-key': Buffer.from(''),
    'my.key': Buffer.from('ü\n'),
    gone: Buffer.from('gone'),
  };

  test('of the subset becomes what kubeseal makes of it, byte for byte', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(template, { minLength: 1, maxLength: 20 }), async (templates) => {
        const entries = templates.map((text, index) => [`t${index}`, text]);
        const data = { clear: 'a {{ .user }}', raw: '{{ .clear }}', gone: null, ...Object.fromEntries(entries) };
        const manifest = sealedWith(data as JsonObject, VALUES);
        expect(emptied(await ours(manifest))).toEqual(emptied(await theirs(manifest)));
      }),
      { numRuns: 40 },
    );
  });

  test.each<[string, JsonObject]>([
    ['a name that is nowhere', { a: '{{ .nowhere }}' }],
    ['a function', { a: '{{ .user | upper }}' }],
    ['a condition', { a: '{{ if .user }}x{{ end }}' }],
    ['the environment', { a: '{{ env "HOME" }}' }],
  ])('with %s is refused here, with its place', async (_what, data) => {
    const { exit, stderr } = await sotto(['unseal', '--key-file', 'tls.key', '-'], {
      cwd: folder,
      stdin: sealedWith(data, VALUES),
    });
    expect([exit, stderr]).toEqual([2, expect.stringContaining('SOTTO-SEAL-009')]);
    expect(stderr).toContain('key spec.template.data.a');
  });
});
