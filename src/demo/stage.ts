import { stringAt } from '../core/json.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { AgentChild } from './agent-child.ts';
import type { DemoCluster } from './cluster.ts';
import type { DemoObject, DemoSecrets, Files } from './content.ts';
import { OBJECTS, pathOf } from './content.ts';
import type { GitServer, TestRepository } from './git-server.ts';
import type { DemoOptions } from './options.ts';
import type { Screen } from './screen.ts';

/** All that is there once everything is up; the scenes play on it. */
export interface Stage {
  readonly options: DemoOptions;
  readonly screen: Screen;
  readonly cluster: DemoCluster;
  readonly git: GitServer;
  /** User and password of the repository, as a URL takes them. */
  readonly gitLogin: string;
  readonly repository: TestRepository;
  readonly agent: AgentChild;
  readonly secrets: DemoSecrets;
  /** The encrypted files, as they are committed. */
  readonly encrypted: Files;
  /** Of the demo: log and kubeconfig. */
  readonly folder: string;
  readonly startedAt: Date;
}

/** A line of the summary; undefined when the scene could not show what it claims, and said so. */
export type SceneResult = readonly [label: string, text: string] | undefined;

/** The live object, or undefined while there is none. */
export async function liveObject({ cluster }: Stage, object: DemoObject): Promise<Json | undefined> {
  const { status, body } = await cluster.admin('GET', pathOf(object, cluster.namespace));
  return status === 200 ? body : undefined;
}

/** The field manager of a person with kubectl. */
export const HAND = 'kubectl-edit';

/** What a hand edit or a tool of another kind than sotto writes. */
export async function editByHand({ cluster }: Stage, object: DemoObject, patch: JsonObject): Promise<Json> {
  const path = `${pathOf(object, cluster.namespace)}?fieldManager=${HAND}`;
  const { status, body } = await cluster.admin('PATCH', path, patch);
  if (status !== 200) throw new Error(`the edit of ${object.name} was answered with ${status}`);
  return body;
}

export function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** True when the live Secret holds what was encrypted, whole. */
export function holdsItsValues(object: Json, expected: Readonly<Record<string, string>>): boolean {
  return Object.entries(expected).every(([key, value]) => stringAt(object, 'data', key) === base64(value));
}

export function secretValues(secrets: DemoSecrets): ReadonlyMap<DemoObject, Readonly<Record<string, string>>> {
  return new Map<DemoObject, Readonly<Record<string, string>>>([
    [OBJECTS.database, { password: secrets.databasePassword, url: secrets.databaseUrl }],
    [OBJECTS.mail, { password: secrets.mailPassword }],
    [OBJECTS.payment, { 'api-key': secrets.paymentKey, 'webhook-secret': secrets.paymentWebhook }],
  ]);
}

const LAST_COMPLAINTS = 3;

/** A claim that does not hold: what was claimed, and what the agent said last. */
export async function disproved({ screen, agent }: Stage, text: string): Promise<undefined> {
  screen.failed(text);
  const complaints = (await agent.logLines()).filter((line) => line['level'] === 'warn' || line['level'] === 'error');
  for (const line of complaints.slice(-LAST_COMPLAINTS)) {
    const what = stringAt(line, 'error', 'message') ?? '';
    screen.detail(`agent: ${stringAt(line, 'msg') ?? ''} ${stringAt(line, 'code') ?? ''} ${what}`);
  }
  return undefined;
}
