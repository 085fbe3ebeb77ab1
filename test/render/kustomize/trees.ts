import type { ScanResult } from '../../../src/render/kustomize/scan-result.ts';
import { posix } from 'node:path';
import type { FileTree, TreeEntry } from '../../../src/render/kustomize/file-tree.ts';

/** Paths and texts of a small repository: `-- path` starts a file, `-- path -> target` is a link. */
export interface Fixture {
  readonly files: ReadonlyMap<string, string>;
  readonly links: ReadonlyMap<string, string>;
}

export function fixture(text: string): Fixture {
  const files = new Map<string, string>();
  const links = new Map<string, string>();
  for (const part of text.split(/^-- /m).slice(1)) {
    const newline = part.indexOf('\n');
    const [path = '', target] = part.slice(0, newline).trim().split(' -> ');
    if (target === undefined) files.set(path, part.slice(newline + 1));
    else links.set(path, target);
  }
  return { files, links };
}

export function treeOf({ files, links }: Fixture): FileTree {
  const encoder = new TextEncoder();
  return new Map<string, TreeEntry>([
    ...[...files].map(([path, text]): [string, TreeEntry] => [path, { kind: 'file', bytes: encoder.encode(text) }]),
    ...[...links.keys()].map((path): [string, TreeEntry] => [path, { kind: 'link' }]),
  ]);
}

export function tree(text: string): FileTree {
  return treeOf(fixture(text));
}

/** A kustomization at the root, and what it names. */
export function kustomization(text: string, ...others: readonly string[]): string {
  return [`-- kustomization.yaml\n${text}\n`, ...others].join('');
}

export const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector:
    matchLabels: { app: web }
  template:
    metadata:
      labels: { app: web }
    spec:
      containers:
      - name: web
        image: nginx:1
        env:
        - name: HOST
          value: db.example.com
`;

export const CONFIG_MAP = `apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  host: db.example.com
`;

export const SECRET = `apiVersion: v1
kind: Secret
metadata:
  name: db
stringData:
  password: hunter2
`;

export const WEB = `-- web.yaml\n${DEPLOYMENT}`;
export const MAP = `-- map.yaml\n${CONFIG_MAP}`;
export const DB = `-- db.yaml\n${SECRET}`;

const COMPONENT = 'apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: a-\n';
const builtin = (kind: string): string => `apiVersion: builtin\nkind: ${kind}\nmetadata: { name: p }\n`;

/** The tree with something at the path that a text would be if it were one, in each form that could be wanted there. */
export function withDecoys(files: FileTree, text: string): FileTree[] {
  const path = posix.normalize(text.slice(text.indexOf('=') + 1)).replace(/^\/+|\/+$/g, '');
  const decoy = (at: string, content: string): FileTree =>
    new Map([...files, [at, { kind: 'file', bytes: new TextEncoder().encode(content) }]]);
  return [
    decoy(path, CONFIG_MAP),
    decoy(path, builtin('ConfigMapGenerator')),
    decoy(path, builtin('HashTransformer')),
    decoy(`${path}/kustomization.yaml`, 'namePrefix: a-\n'),
    decoy(`${path}/kustomization.yaml`, COMPONENT),
  ];
}

/** For trees whose secrets do not matter: nothing stands for each encrypted file. */
export function emptied({ files }: ScanResult): ReadonlyMap<string, Uint8Array> {
  const closed = files.filter(({ encryption }) => encryption !== 'none');
  return new Map(closed.map(({ path }) => [path, new Uint8Array()]));
}
