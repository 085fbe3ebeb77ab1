import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { arrayAt, type JsonObject, memberAt, stringAt } from '../src/core/json.ts';
import { VERSION } from '../src/cli/version.ts';
import { readManifests } from '../src/yaml/manifest.ts';
import { objectOf, rulesOf } from './harness/deploy.ts';

const ROOT = join(import.meta.dirname, '..');

function manifest(file: string): JsonObject {
  return objectOf(readManifests(readFileSync(join(ROOT, file), 'utf8'), file)[0]?.value);
}

const base = objectOf(memberAt(manifest('deploy/base/deployment.yaml'), 'spec', 'template', 'spec'));
const agent = objectOf(arrayAt(base, 'containers')[0]);
const sidecarPod = objectOf(
  memberAt(manifest('deploy/components/sidecar/deployment.yaml'), 'spec', 'template', 'spec'),
);
const sidecar = objectOf(arrayAt(sidecarPod, 'initContainers')[0]);

function without(object: JsonObject, ...fields: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([field]) => !fields.includes(field)));
}

describe('the Pod of deploy/', () => {
  it('is the same beside an app, but for what a sidecar needs', () => {
    const fields = ['name', 'args', 'ports', 'livenessProbe'];
    expect(without(sidecar, ...fields, 'restartPolicy', 'startupProbe')).toEqual(
      without(agent, ...fields, 'readinessProbe'),
    );
    expect(sidecar['restartPolicy']).toBe('Always');
    expect(sidecarPod['volumes']).toEqual(base['volumes']);
  });

  it('mounts the token into the agent and gives nobody else one', () => {
    for (const pod of [base, sidecarPod]) expect(pod['automountServiceAccountToken']).toBe(false);
    expect(manifest('deploy/rights/serviceaccount.yaml')['automountServiceAccountToken']).toBe(false);
  });

  it('writes to memory only: one volume, with a size', () => {
    const volumes = arrayAt(base, 'volumes').filter((volume) => memberAt(volume, 'emptyDir') !== undefined);
    expect(volumes).toEqual([{ name: 'sotto-work', emptyDir: { medium: 'Memory', sizeLimit: '256Mi' } }]);
    expect(stringAt(agent, 'image')).toBe(`sotto:${VERSION}`);
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
    expect(of('FROM')).toEqual(['${BASE} AS build', 'scratch']);
    expect(of('ARG').filter((argument) => argument.startsWith('BASE'))).toEqual(['BASE', 'BASE']);
    expect(of('RUN')[0]).toContain('*@sha256:*');
    expect(text).not.toMatch(/:latest|\blatest\b/);
  });

  it('copies only what is there and what .dockerignore lets through', () => {
    const sources = of('COPY').flatMap((copy) => copy.split(' ').slice(0, -1));
    const fromCheckout = sources.filter((source) => !source.startsWith('--') && source !== '/image/');
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
    expect(JSON.parse(of('CMD')[0] ?? '')).toEqual(agent['args']);
    const environment = Object.fromEntries((of('ENV')[0] ?? '').split(/\s+/).map((pair) => pair.split(/=(.*)/s)));
    for (const variable of arrayAt(agent, 'env')) {
      const value = stringAt(variable, 'value');
      if (value !== undefined) expect(environment).toHaveProperty([stringAt(variable, 'name') ?? ''], value);
    }
  });

  it('says the version of this package', () => {
    expect(of('ARG')).toContain(`VERSION=${VERSION}`);
  });
});
