import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { arrayAt, isJsonObject, type Json, type JsonObject, memberAt, stringAt } from '../../src/core/json.ts';
import type { PolicyRule } from '../../src/demo/control-plane.ts';
import { readManifests } from '../../src/yaml/manifest.ts';
import { stockOutput } from './stock.ts';

export const ROOT = join(import.meta.dirname, '..', '..');

/** What stock kustomize makes of a folder. */
export async function kustomizeBuild(folder: string): Promise<readonly JsonObject[]> {
  const text = (await stockOutput('kustomize', ['build', folder])).toString();
  return readManifests(text, `${folder}.yaml`).map(({ value }) => objectOf(value));
}

export function objectOf(value: Json | undefined): JsonObject {
  if (value === undefined || !isJsonObject(value)) throw new Error('not an object');
  return value;
}

export function kindAndName(object: Json): string {
  return `${stringAt(object, 'kind') ?? ''}/${stringAt(object, 'metadata', 'name') ?? ''}`;
}

/** The template of the one Deployment among them. */
export function podTemplate(objects: readonly JsonObject[]): JsonObject {
  const found = objects.filter((object) => object['kind'] === 'Deployment');
  if (found.length !== 1) throw new Error(`${found.length} Deployments`);
  return objectOf(memberAt(found[0] ?? null, 'spec', 'template'));
}

const PLURALS: Readonly<Record<string, string>> = {
  ServiceAccount: 'serviceaccounts',
  Role: 'roles',
  RoleBinding: 'rolebindings',
  ConfigMap: 'configmaps',
  Service: 'services',
  Deployment: 'deployments',
  NetworkPolicy: 'networkpolicies',
  Pod: 'pods',
};

/** Where an object of deploy/ is found on the API server. */
export function pathOf(object: JsonObject): string {
  const apiVersion = stringAt(object, 'apiVersion') ?? '';
  const plural = PLURALS[stringAt(object, 'kind') ?? ''];
  if (plural === undefined) throw new Error(`no plural for ${kindAndName(object)}`);
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const namespace = stringAt(object, 'metadata', 'namespace') ?? '';
  return `${root}/namespaces/${namespace}/${plural}/${stringAt(object, 'metadata', 'name') ?? ''}`;
}

/** The rules of a Role of deploy/. */
export function rulesOf(file: string): readonly PolicyRule[] {
  const role = readManifests(readFileSync(join(ROOT, file), 'utf8'), file).map(({ value }) => value);
  return role.flatMap((manifest) =>
    arrayAt(manifest, 'rules').map((rule) => ({
      apiGroups: textsAt(rule, 'apiGroups'),
      resources: textsAt(rule, 'resources'),
      verbs: textsAt(rule, 'verbs'),
      ...(memberAt(rule, 'resourceNames') === undefined ? {} : { resourceNames: textsAt(rule, 'resourceNames') }),
    })),
  );
}

function textsAt(value: Json, field: string): string[] {
  return arrayAt(value, field).flatMap((item) => (typeof item === 'string' ? [item] : []));
}
