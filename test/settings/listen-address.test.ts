import { describe, expect, it } from 'vitest';
import { readListenAddress } from '../../src/settings/listen-address.ts';

describe('a listen address', () => {
  it.each([
    [':8080', { host: undefined, port: 8080 }],
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    ['localhost:81', { host: 'localhost', port: 81 }],
    ['[::1]:8080', { host: '::1', port: 8080 }],
  ])('%s is understood', (text, expected) => {
    expect(readListenAddress(text)).toEqual(expected);
  });

  it.each(['', '8080', 'host', 'host:', ':99999', '::1:8080', '[::1]', 'a b:1', ':80x', 'a/b:1', 'a@b:1'])(
    '%j is none',
    (text) => {
      expect(readListenAddress(text)).toBeUndefined();
    },
  );
});
