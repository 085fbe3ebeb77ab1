import { type ClosedObject, ComposedRef, type Piece, type SecretRef } from '../../core/closed.ts';
import { groupOf } from '../../core/ids.ts';
import { stringAt } from '../../core/json.ts';
import { notHere } from './refusals.ts';

/** Where an object has values of a Secret: as text that Flux would look into, or as text of an encoding, which hides them. */
export interface SecretValues {
  readonly below: readonly string[];
  readonly isReadable: boolean;
}

/** A SealedSecret is one of these only where it is passed on to its controller. */
export function secretValues(tree: ClosedObject): readonly SecretValues[] {
  if (isOf(tree, '', 'Secret')) {
    return [
      { below: ['data'], isReadable: false },
      { below: ['stringData'], isReadable: true },
    ];
  }
  if (!isOf(tree, 'bitnami.com', 'SealedSecret')) return [];
  return [
    { below: ['spec', 'encryptedData'], isReadable: false },
    { below: ['spec', 'template', 'data'], isReadable: true },
    { below: ['spec', 'template', 'stringData'], isReadable: true },
  ];
}

export function isOf(tree: ClosedObject, group: string, kind: string): boolean {
  return tree['kind'] === kind && groupOf(stringAt(tree, 'apiVersion') ?? '') === group;
}

/** In clear, beside encrypted values or where settings allow it. */
export function secretText(value: string, { isReadable }: SecretValues): string {
  if (isReadable && value.includes('${')) throw notHere('a value of a Secret', VALUE_OF_SECRET);
  return value;
}

/** A text with a secret in it is not changed, so what Flux would have replaced in it must not be left silently. */
export function refuseReadable(ref: SecretRef, values: SecretValues | undefined): SecretRef {
  const isHidden = values?.isReadable === false;
  if (ref instanceof ComposedRef && !isHidden && ref.pieces.some(holdsExpression)) {
    throw notHere('a text with a secret in it', VALUE_OF_SECRET);
  }
  return ref;
}

function holdsExpression(piece: Piece): boolean {
  switch (piece.kind) {
    case 'literal':
      return Buffer.from(piece.bytes).includes('${');
    case 'value':
    case 'base64':
      return false;
    case 'json':
      return piece.of.some(holdsExpression);
    case 'yaml':
      return piece.scalar.meaning.some(holdsExpression);
    default:
      return piece satisfies never;
  }
}

const VALUE_OF_SECRET = 'values of Secrets are never changed by variables, so that none can become part of a secret';
