import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { arrayAt } from '../../src/core/json.ts';
import { AGENT_RULES } from '../../src/demo/agent-rules.ts';
import { readManifests } from '../../src/yaml/manifest.ts';

it('the demo gives its agent the Role that deploy/ gives, rule by rule', () => {
  const file = 'deploy/rights/role.yaml';
  const text = readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
  const [role] = readManifests(text, file);
  expect(arrayAt(role?.value ?? null, 'rules')).toEqual(AGENT_RULES);
});
