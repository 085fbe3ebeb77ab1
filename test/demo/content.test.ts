import { load } from 'js-yaml';
import { expect, test } from 'vitest';
import { BANNER, BROKEN_BANNER, createSecrets, OBJECTS, pathOf, tampered } from '../../src/demo/content.ts';

test('the slip of the finger breaks a file that was fine', () => {
  const { file } = OBJECTS.banner;
  expect(() => load(BANNER[file] ?? '')).not.toThrow();
  expect(() => load(BROKEN_BANNER[file] ?? '')).toThrow(/bad indentation/);
});

test.each(['ENC[AES256_GCM,data:Axyz,iv:b]', 'ENC[AES256_GCM,data:Bxyz,iv:b]'])('%s loses one character', (text) => {
  const changed = tampered(text);
  expect(changed).not.toBe(text);
  expect(changed.length).toBe(text.length);
  expect(changed.slice(0, 20)).toBe(text.slice(0, 20));
  expect(changed.slice(21)).toBe(text.slice(21));
});

test('every secret of the demo is another value', () => {
  const secrets = createSecrets();
  expect(new Set(secrets.values).size).toBe(5);
  expect(secrets.values).toContain(secrets.paymentWebhook);
});

test('objects are found at the address of their kind', () => {
  expect(pathOf(OBJECTS.report, 'team')).toBe('/apis/batch/v1/namespaces/team/cronjobs/report');
});
