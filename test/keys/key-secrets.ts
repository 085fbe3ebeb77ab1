import { Sensitive } from '../../src/core/sensitive.ts';
import type { KeySecret } from '../../src/keys/key-secret.ts';
import { bytesOf } from '../sealed/material.ts';

/** A Secret as the agent reads it. */
export function keySecret(
  name: string,
  entries: Readonly<Record<string, string>>,
  marks: Partial<Pick<KeySecret, 'labels' | 'annotations' | 'type'>> = {},
): KeySecret {
  return {
    name,
    labels: {},
    annotations: {},
    type: 'Opaque',
    resourceVersion: '1',
    ...marks,
    entries: new Map(Object.entries(entries).map(([key, text]) => [key, Sensitive.copyOf(bytesOf(text))])),
  };
}
