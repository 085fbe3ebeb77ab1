import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { SottoError } from '../../src/core/errors.ts';
import { type Json, type JsonObject, memberAt, parseJson, stringAt } from '../../src/core/json.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import type { PlainSecret } from '../../src/sealed/plain-secret.ts';
import { parseSealed, type SealedObject } from '../../src/sealed/sealed-secret.ts';
import { parseSealingKey, type SealingKey } from '../../src/sealed/sealing-key.ts';

const vectors = parseJson(readFileSync(join(import.meta.dirname, 'kubeseal-vectors.json'), 'utf8'));

/** The key pair with which the vectors were sealed. */
export const VECTOR_CERTIFICATE = stringAt(vectors, 'tlsCrt') ?? '';
export const VECTOR_KEY_PEM = stringAt(vectors, 'tlsKey') ?? '';
export const VECTOR_RAW = stringAt(vectors, 'raw') ?? '';

export function vectorKey(): SealingKey {
  return parseSealingKey({ key: bytesOf(VECTOR_KEY_PEM), crt: bytesOf(VECTOR_CERTIFICATE) });
}

/** What kubeseal made of one Secret in a scope. */
export function vectorManifest(scope: string): JsonObject {
  return memberAt(vectors, 'sealed', scope) as JsonObject;
}

export function parse(manifest: Json, namespace = 'default'): SealedObject {
  return parseSealed(manifest, { file: 'db.yaml', line: 3, namespace });
}

/** A minimal SealedSecret with fields of `metadata` and `spec` replaced. */
export function sealedManifest(spec: JsonObject, metadata: JsonObject = { name: 'db', namespace: 'team' }): JsonObject {
  return { apiVersion: 'bitnami.com/v1alpha1', kind: 'SealedSecret', metadata, spec };
}

export function plainSecret(
  data: Record<string, string>,
  metadata: Partial<PlainSecret['metadata']> = {},
): PlainSecret {
  return {
    metadata: { name: 'db', namespace: 'team', labels: {}, annotations: {}, finalizers: [], ...metadata },
    type: undefined,
    immutable: undefined,
    data: new Map(Object.entries(data).map(([key, text]) => [key, Sensitive.copyOf(bytesOf(text))])),
  };
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The SottoError that a call ends in. Anything else fails the test. */
export async function errorOf(call: () => unknown): Promise<SottoError> {
  try {
    await call();
  } catch (thrown) {
    if (thrown instanceof SottoError) return thrown;
    throw thrown;
  }
  return expect.fail('no error was thrown');
}
