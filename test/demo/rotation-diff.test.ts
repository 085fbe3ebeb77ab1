import { expect, test } from 'vitest';
import { shownDiff } from '../../src/demo/rotation-diff.ts';

const OLD = 'age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq';
const NEW = 'age1zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz';

function token(letter: string): string {
  return `ENC[AES256_GCM,data:${letter.repeat(24)},iv:${letter.repeat(44)},tag:${letter.repeat(24)},type:str]`;
}

test('of a diff the password and the recipient are shown, their ciphertext shortened and the rest left out', () => {
  const diff = [
    'diff --git a/deploy/database.yaml b/deploy/database.yaml',
    '--- a/deploy/database.yaml',
    '+++ b/deploy/database.yaml',
    '@@ -6,2 +6,2 @@ stringData:',
    `-    password: ${token('a')}`,
    `-    url: ${token('b')}`,
    `+    password: ${token('c')}`,
    `+    url: ${token('d')}`,
    `-        - recipient: ${OLD}`,
    `+        - recipient: ${NEW}`,
    '',
  ].join('\n');
  expect(shownDiff(diff)).toEqual([
    '-    password: ENC[AES256_GCM,data:aaaaaaaaaaaa…]',
    '+    password: ENC[AES256_GCM,data:cccccccccccc…]',
    '-        - recipient: age1qqqqqqqqqqqqqqqq…',
    '+        - recipient: age1zzzzzzzzzzzzzzzz…',
  ]);
});

test('a diff without either shows nothing', () => {
  expect(shownDiff('')).toEqual([]);
});
