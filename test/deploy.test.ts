import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { arrayAt, type JsonObject, memberAt, stringAt } from '../src/core/json.ts';
import { VERSION } from '../src/cli/version.ts';
import { KUSTOMIZE_VERSION } from '../src/render/kustomize/renderer.ts';
import { readManifests } from '../src/yaml/manifest.ts';
import { objectOf, rulesOf } from './harness/deploy.ts';

const ROOT = join(import.meta.dirname, '..');

function manifest(file: string): JsonObject {
  return objectOf(readManifests(readFileSync(join(ROOT, file), 'utf8'), file)[0]?.value);
}

const base = objectOf(memberAt(manifest('deploy/base/deployment.yaml'), 'spec', 'template', 'spec'));
const [agent = {}, renderer = {}] = arrayAt(base, 'containers').map((container) => objectOf(container));
const sidecarPod = objectOf(
  memberAt(manifest('deploy/components/sidecar/deployment.yaml'), 'spec', 'template', 'spec'),
);
const [sidecarRenderer = {}, sidecar = {}] = arrayAt(sidecarPod, 'initContainers').map((each) => objectOf(each));
const rendererPod = objectOf(
  memberAt(manifest('deploy/components/renderer-pod/renderer.yaml'), 'spec', 'template', 'spec'),
);

function without(object: JsonObject, ...fields: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([field]) => !fields.includes(field)));
}

function mounts(container: JsonObject): unknown[] {
  return arrayAt(container, 'volumeMounts').map((mount) => [
    stringAt(mount, 'name'),
    memberAt(mount, 'readOnly') === true ? 'read' : 'write',
  ]);
}

describe('the Pod of deploy/', () => {
  it('is the same beside an app, but for what a sidecar needs', () => {
    const fields = ['name', 'args', 'ports', 'livenessProbe'];
    expect(without(sidecar, ...fields, 'restartPolicy', 'startupProbe')).toEqual(
      without(agent, ...fields, 'readinessProbe'),
    );
    expect(without(sidecarRenderer, 'name', 'restartPolicy')).toEqual(without(renderer, 'name'));
    for (const container of [sidecar, sidecarRenderer]) expect(container['restartPolicy']).toBe('Always');
    expect(sidecarPod['volumes']).toEqual(base['volumes']);
  });

  it('mounts the token into the agent and gives nobody else one', () => {
    for (const pod of [base, sidecarPod]) expect(pod['automountServiceAccountToken']).toBe(false);
    expect(manifest('deploy/rights/serviceaccount.yaml')['automountServiceAccountToken']).toBe(false);
  });

  it('writes to memory only: volumes with a size', () => {
    const volumes = arrayAt(base, 'volumes').filter((volume) => memberAt(volume, 'emptyDir') !== undefined);
    expect(volumes).toEqual([
      { name: 'sotto-work', emptyDir: { medium: 'Memory', sizeLimit: '256Mi' } },
      { name: 'sotto-trees', emptyDir: { medium: 'Memory', sizeLimit: '128Mi' } },
      { name: 'sotto-renderer', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    ]);
    expect(stringAt(agent, 'image')).toBe(`sotto:${VERSION}`);
  });

  it('gives the renderer its trees and its socket, and nothing that the agent has', () => {
    expect(mounts(renderer)).toEqual([
      ['sotto-trees', 'write'],
      ['sotto-renderer', 'write'],
    ]);
    expect(mounts(agent)).toEqual([
      ['sotto-work', 'write'],
      ['sotto-token', 'read'],
      ['sotto-renderer', 'read'],
    ]);
    const [moved = {}] = arrayAt(rendererPod, 'containers').map((container) => objectOf(container));
    expect(mounts(moved)).toEqual([
      ['sotto-trees', 'write'],
      ['sotto-renderer-token', 'read'],
    ]);
    expect(rendererPod['automountServiceAccountToken']).toBe(false);
    const fields = ['args', 'ports', 'livenessProbe', 'readinessProbe', 'volumeMounts'];
    expect(without(moved, ...fields)).toEqual(without(renderer, ...fields));
    expect(without(renderer, ...fields, 'name', 'env', 'resources')).toEqual(
      without(agent, ...fields, 'name', 'env', 'resources'),
    );
  });

  it('lets nothing out of the Pod that runs kustomize', () => {
    const policy = memberAt(manifest('deploy/components/renderer-pod/networkpolicy.yaml'), 'spec');
    expect(memberAt(policy, 'policyTypes')).toEqual(['Ingress', 'Egress']);
    expect(memberAt(policy, 'egress')).toBeUndefined();
  });

  it('names no user, so that a cluster may choose one', () => {
    expect(JSON.stringify(base)).not.toContain('runAsUser');
  });
});

describe('the rights of a split install', () => {
  const whole = verbsByResource('deploy/rights/role.yaml');
  const halves = ['agent', 'target'].map((half) => verbsByResource(`deploy/overlays/split/${half}/role.yaml`));

  it('are together those of the one Role, and no half has more', () => {
    for (const [resource, verbs] of whole) {
      const together = new Set(halves.flatMap((half) => half.get(resource) ?? []));
      expect([resource, together]).toEqual([resource, new Set(verbs)]);
    }
    for (const half of halves) expect([...half.keys()].filter((resource) => !whole.has(resource))).toEqual([]);
  });
});

function verbsByResource(file: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    rulesOf(file).flatMap(({ apiGroups, resources, verbs }) =>
      resources.map((resource) => [`${apiGroups.join()}/${resource}`, verbs] as const),
    ),
  );
}

describe('the Dockerfile', () => {
  const text = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').replaceAll(/\\\n/g, ' ');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const of = (instruction: string): string[] =>
    lines.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1).trim());

  it('takes its base by digest, from outside, and refuses anything else', () => {
    expect(of('FROM')).toEqual(['${GO} AS kustomize', '${BASE} AS build', 'scratch']);
    expect(of('ARG').filter((argument) => argument.startsWith('BASE'))).toEqual(['BASE', 'BASE']);
    expect(of('ARG').filter((argument) => argument.startsWith('GO'))).toEqual(['GO', 'GO']);
    expect(of('RUN').filter((run) => run.includes('*@sha256:*'))).toHaveLength(2);
    expect(text).not.toMatch(/:latest|\blatest\b/);
  });

  it('copies only what is there and what .dockerignore lets through', () => {
    const sources = of('COPY').flatMap((copy) => copy.split(' ').slice(0, -1));
    const fromCheckout = sources.filter((source) => !source.startsWith('--') && !source.startsWith('/'));
    expect(fromCheckout.filter((source) => !existsSync(join(ROOT, source)))).toEqual([]);
    const ignore = readFileSync(join(ROOT, '.dockerignore'), 'utf8').trim().split('\n');
    expect(ignore[0]).toBe('*');
    expect(ignore.slice(1).toSorted()).toEqual(fromCheckout.map((source) => `!${source}`).toSorted());
  });

  it('runs as a user that is a number and not root', () => {
    const [user = ''] = of('USER');
    expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  it('starts the agent as the Deployment does', () => {
    expect(JSON.parse(of('ENTRYPOINT')[0] ?? '')).toEqual(agent['command']);
    expect(JSON.parse(of('CMD')[0] ?? '')).toEqual(arrayAt(agent, 'args').slice(0, 1));
    const environment = Object.fromEntries((of('ENV')[0] ?? '').split(/\s+/).map((pair) => pair.split(/=(.*)/s)));
    for (const variable of arrayAt(agent, 'env')) {
      const value = stringAt(variable, 'value');
      if (value !== undefined) expect(environment).toHaveProperty([stringAt(variable, 'name') ?? ''], value);
    }
  });

  it('builds the kustomize that the scan knows, and puts it where only the renderer looks', () => {
    const pinned = readFileSync(join(ROOT, 'test/tools/kustomize/go.mod'), 'utf8');
    expect(pinned).toContain(`sigs.k8s.io/kustomize/kustomize/v5 v${KUSTOMIZE_VERSION} `);
    expect(of('COPY')).toContain('test/tools/kustomize/go.mod test/tools/kustomize/go.sum ./');
    expect(of('RUN').at(-1)).toMatch(/^\.ci\/image-root \/image \S+ \S+ \/build\/kustomize$/);
    expect(readFileSync(join(ROOT, '.ci/image-root'), 'utf8')).toContain('copy "$kustomize" /opt/sotto/kustomize');
  });

  it('says the version of this package', () => {
    expect(of('ARG')).toContain(`VERSION=${VERSION}`);
  });
});
