import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createCanaries, needlesOf, scanProcess } from '../../../src/demo/memory-scan.ts';
import { encrypted, newKeyPair } from '../../sops/fixtures.ts';
import type { FillerInput } from './filler.ts';

const SELECTOR = { selector: { kind: 'encrypted_regex', value: '^(data|stringData)$' } } as const;

test('no value is left in memory after it was tokenised, composed and filled', async () => {
  const pair = await newKeyPair();
  const canaries = createCanaries(120);
  const [documents, whole, lines] = [
    canaries.values.slice(0, 60),
    canaries.values.slice(60, 90),
    canaries.values.slice(90),
  ];
  const stringData = Object.fromEntries(
    documents.map((value, at) => [`k${at}`, at % 2 === 0 ? value : `${value}\n${value}: "`]),
  );
  const document = JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, stringData });
  const config = whole.map((value, at) => `k${at}:\n  - ${value}\n  - "# ${value}\\n ${value}"\n`).join('');
  const seal = (text: string, options = {}) => encrypted(text, pair.recipient, options);
  const input: FillerInput = {
    identity: pair.identity,
    files: [
      { path: 'db.yaml', format: 'yaml', role: 'document', text: await seal(document, SELECTOR) },
      { path: 'c.yaml', format: 'yaml', role: 'generator-file', text: await seal(config) },
      {
        path: 'c.json',
        format: 'json',
        role: 'generator-file',
        text: await seal(JSON.stringify({ a: whole }), { format: 'json' }),
      },
      {
        path: 'vars',
        format: 'binary',
        role: 'env-file',
        text: await seal(JSON.stringify({ data: lines.map((value, at) => `K${at}=${value}\n`).join('') }), {
          format: 'json',
        }),
      },
    ],
  };
  const filler = spawn(process.execPath, [join(import.meta.dirname, 'filler.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    filler.stdin.end(JSON.stringify(input));
    const [said] = (await once(filler.stdout, 'data')) as [Buffer];
    expect(said.toString()).toMatch(/^filled \d{5,}\n$/);
    if (filler.pid === undefined) throw new Error('the filler did not start');
    const result = scanProcess(filler.pid, needlesOf(canaries), { freeze: true });
    expect(result).toMatchObject({ valuesFound: 0, partials: 0 });
    expect(result.scannedBytes).toBeGreaterThan(1024 * 1024);
  } finally {
    filler.kill('SIGKILL');
    await once(filler, 'exit');
  }
});
