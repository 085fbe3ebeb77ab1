import { AGE_CODES } from './codes/age.ts';
import { CLI_CODES } from './codes/cli.ts';
import { CONF_CODES } from './codes/conf.ts';
import type { CodeEntry } from './codes/entry.ts';
import { GIT_CODES } from './codes/git.ts';
import { KEYS_CODES } from './codes/keys.ts';
import { KUBE_CODES } from './codes/kube.ts';
import { PLAN_CODES } from './codes/plan.ts';
import { RENDER_CODES } from './codes/render.ts';
import { ROTATE_CODES } from './codes/rotate.ts';
import { ROTATE_AGENT_CODES } from './codes/rotate-agent.ts';
import { SEAL_CODES } from './codes/seal.ts';
import { SOPS_CODES } from './codes/sops.ts';
import { UP_CODES } from './codes/up.ts';
import { YAML_CODES } from './codes/yaml.ts';

/** Every error code with its page. A code is never renamed and never used for a second meaning. */
export const CODES = {
  ...AGE_CODES,
  ...CLI_CODES,
  ...CONF_CODES,
  ...GIT_CODES,
  ...KEYS_CODES,
  ...KUBE_CODES,
  ...PLAN_CODES,
  ...RENDER_CODES,
  ...ROTATE_CODES,
  ...ROTATE_AGENT_CODES,
  ...SEAL_CODES,
  ...SOPS_CODES,
  ...UP_CODES,
  ...YAML_CODES,
} as const satisfies Record<string, CodeEntry>;

export type Code = keyof typeof CODES;

type Area = Code extends `SOTTO-${infer Name}-${string}` ? Name : never;

/** What the codes are about. A code of an area that has no line here does not compile. */
export const AREAS: Readonly<Record<Area, string>> = {
  AGE: 'age keys and recipients',
  CLI: 'the command line',
  CONF: 'settings',
  GIT: 'the Git source',
  KEYS: 'key Secrets and credentials',
  KUBE: 'the API server',
  PLAN: 'what is held, refused or left alone',
  RENDER: 'manifests',
  ROTATE: 'rotation of keys',
  SEAL: 'SealedSecrets',
  SOPS: 'SOPS files',
  YAML: 'YAML and JSON',
};
