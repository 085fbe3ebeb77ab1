import { type Closed, type ClosedObject, isClosedObject, SecretRef } from '../core/closed.ts';
import { SottoError } from '../core/errors.ts';
import type { ObjectId } from '../core/ids.ts';
import { MEMBER_LABEL } from '../core/labels.ts';
import { POD_SPEC_PATHS } from '../core/pod-spec.ts';

/** Written by the API server; in an apply body they are refused, ignored, or fight with it (spec/drift.md 3.2). */
const SERVER_METADATA = new Set([
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'generation',
  'managedFields',
  'resourceVersion',
  'selfLink',
  'uid',
]);

/** The object as it can be applied: without status and server-made metadata, namespace set, ports with a protocol. */
export function normalise(tree: ClosedObject, id: ObjectId, builtIn: boolean): ClosedObject {
  const metadata = isClosedObject(tree['metadata']) ? tree['metadata'] : {};
  const labels = metadata['labels'];
  if (isClosedObject(labels) && Object.hasOwn(labels, MEMBER_LABEL)) throw carriesMemberLabel();
  const kept = Object.entries(metadata).filter(([key]) => !SERVER_METADATA.has(key));
  const body = Object.entries(tree).filter(([key]) => key !== 'status' && key !== 'metadata');
  const normal: ClosedObject = {
    ...Object.fromEntries(body),
    metadata: { ...Object.fromEntries(kept), name: id.name, namespace: id.namespace },
  };
  if (!builtIn) return normal;
  return withProtocols(withoutNulls(normal), id);
}

function carriesMemberLabel(): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-009',
    what: `the manifest carries the label ${MEMBER_LABEL}`,
    why: 'the label says which set a live object belongs to and is written by whoever applies it',
    next: 'remove the label from the manifest',
    key: `metadata.labels.${MEMBER_LABEL}`,
  });
}

/** A null in an apply body owns an empty field on built-in kinds (spec/drift.md 1.2); kubectl drops it as well. */
function withoutNulls(value: ClosedObject): ClosedObject {
  const entries = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(entries.map(([key, item]) => [key, dropNulls(item)]));
}

function dropNulls(value: Closed): Closed {
  if (Array.isArray(value)) return value.map((item: Closed) => dropNulls(item));
  return isClosedObject(value) ? withoutNulls(value) : value;
}

/** Port items are keyed by port and protocol: without the protocol two items can collide (kubernetes#98576). */
function withProtocols(tree: ClosedObject, id: ObjectId): ClosedObject {
  if (id.group === '' && id.kind === 'Service') return mapAt(tree, ['spec', 'ports'], portWithProtocol);
  const podSpec = POD_SPEC_PATHS[`${id.group}/${id.kind}`];
  if (podSpec === undefined) return tree;
  const containerPorts = (container: Closed): Closed =>
    isClosedObject(container) ? mapAt(container, ['ports'], portWithProtocol) : container;
  return ['containers', 'initContainers'].reduce(
    (result, list) => mapAt(result, [...podSpec, list], containerPorts),
    tree,
  );
}

function portWithProtocol(port: Closed): Closed {
  return isClosedObject(port) && port['protocol'] === undefined ? { ...port, protocol: 'TCP' } : port;
}

/** The tree with every item of the list at `path` mapped; unchanged where the path does not lead to a list. */
function mapAt(tree: ClosedObject, path: readonly string[], change: (item: Closed) => Closed): ClosedObject {
  const [key, ...rest] = path;
  if (key === undefined) return tree;
  const value = tree[key];
  if (rest.length === 0)
    return Array.isArray(value) ? { ...tree, [key]: value.map((item: Closed) => change(item)) } : tree;
  return isClosedObject(value) && !(value instanceof SecretRef) ? { ...tree, [key]: mapAt(value, rest, change) } : tree;
}
