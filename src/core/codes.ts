import { AGE_CODES } from './codes/age.ts';
import { CLI_CODES } from './codes/cli.ts';
import { CONF_CODES } from './codes/conf.ts';
import type { CodeEntry } from './codes/entry.ts';
import { GIT_CODES } from './codes/git.ts';
import { KEYS_CODES } from './codes/keys.ts';
import { KUBE_CODES } from './codes/kube.ts';
import { PLAN_CODES } from './codes/plan.ts';
import { RENDER_CODES } from './codes/render.ts';
import { SEAL_CODES } from './codes/seal.ts';
import { SOPS_CODES } from './codes/sops.ts';
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
  ...SEAL_CODES,
  ...SOPS_CODES,
  ...YAML_CODES,
} as const satisfies Record<string, CodeEntry>;

export type Code = keyof typeof CODES;
