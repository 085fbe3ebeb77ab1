import { describe, expect, it } from 'vitest';
import { bareValue } from '../../../src/agent/exposure/bare-value.ts';
import type { LeafForm } from '../../../src/core/closed.ts';
import { Sensitive } from '../../../src/core/sensitive.ts';

function bare(text: string, form: LeafForm): string {
  using made = bareValue(Sensitive.copyOf(Buffer.from(text)), form);
  return Buffer.from(made.reveal()).toString();
}

describe('an exposed value', () => {
  it('is what its Pods get, whether it stands under data or under stringData', () => {
    const base64 = Buffer.from('correct horse battery staple').toString('base64');
    const broken = `${base64.slice(0, 8)}\n${base64.slice(8, 16)}\r\n${base64.slice(16)}\n`;
    for (const text of [base64, broken]) expect(bare(text, 'base64')).toBe('correct horse battery staple');
    expect(bare('correct horse battery staple', 'value')).toBe('correct horse battery staple');
    // Under stringData it is that text, whatever it looks like.
    expect(bare(base64, 'value')).toBe(base64);
  });

  it('is left as it is where it should be base64 and is none', () => {
    expect(bare('no base64!', 'base64')).toBe('no base64!');
  });
});
