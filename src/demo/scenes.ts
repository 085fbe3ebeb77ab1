import { arrayAt, memberAt, numberAt, stringAt } from '../core/json.ts';
import type { Json, JsonObject } from '../core/json.ts';
import {
  BANNER,
  BROKEN_BANNER,
  configFile,
  type DemoObject,
  GREETINGS,
  OBJECTS,
  pathOf,
  REPLICAS,
  REPORT,
  tampered,
  webFile,
} from './content.ts';
import { agentFailed, reasonOf } from './failure.ts';
import { counted, duration } from './screen.ts';
import { base64, disproved, editByHand, HAND, holdsItsValues, liveObject, secretValues } from './stage.ts';
import type { SceneResult, Stage } from './stage.ts';
import { until } from './until.ts';

/** The agent comes up and applies what the branch holds already. */
export async function agentStarts(stage: Stage): Promise<SceneResult> {
  const { agent, screen, options } = stage;
  screen.working('starting the agent');
  const live = await until(async () => {
    await agent.server.assertRunning().catch((thrown: unknown) => {
      throw agentFailed(reasonOf(thrown));
    });
    return liveObject(stage, OBJECTS.config);
  }, options);
  if (live === undefined) return disproved(stage, 'the agent applied nothing');
  const took = duration(live.atMs - agent.startedMs);
  screen.done(`agent started: its first object live ${took} after the start`);
  screen.detail('one Role in this namespace, nothing else; it asks Git every second');
  return ['start to first object', took];
}

const ALL = Object.values(OBJECTS);

export async function commitIsApplied(stage: Stage): Promise<SceneResult> {
  const { repository, screen, options, encrypted, secrets } = stage;
  screen.working('committing');
  await repository.commit({ ...webFile(REPLICAS.first), ...BANNER, ...REPORT, ...encrypted }, 'The application');
  const pushedMs = performance.now();
  screen.working('waiting for the commit to be live');
  const values = secretValues(secrets);
  const wanted = ALL.filter((object) => object !== OBJECTS.config);
  for (const object of wanted) {
    const expected = values.get(object) ?? {};
    const found = await until(async () => {
      const live = await liveObject(stage, object);
      return live !== undefined && holdsItsValues(live, expected) ? live : undefined;
    }, options);
    if (found === undefined) return disproved(stage, `${object.name} of the commit is not live as it is in Git`);
  }
  const took = duration(performance.now() - pushedMs);
  screen.done(`commit applied: ${counted(wanted.length, 'object')} live ${took} after the push`);
  screen.detail(`${counted(values.size, 'Secret')} among them, with the values that were encrypted`);
  return ['commit to live', `${took} for ${counted(wanted.length, 'object')}, Git asked every second`];
}

interface HandEdit {
  readonly object: DemoObject;
  readonly what: string;
  readonly patch: JsonObject;
  readonly isRestored: (live: Json) => boolean;
}

function handEdits({ secrets }: Stage): readonly HandEdit[] {
  return [
    {
      object: OBJECTS.config,
      what: 'data.greeting',
      patch: { data: { greeting: 'changed by hand' } },
      isRestored: (live) => stringAt(live, 'data', 'greeting') === GREETINGS.first,
    },
    {
      object: OBJECTS.deployment,
      what: 'spec.replicas',
      patch: { spec: { replicas: 3 } },
      isRestored: (live) => numberAt(live, 'spec', 'replicas') === REPLICAS.first,
    },
    {
      object: OBJECTS.database,
      what: 'data.password',
      patch: { data: { password: base64('changed by hand') } },
      isRestored: (live) => holdsItsValues(live, { password: secrets.databasePassword }),
    },
  ];
}

export async function handEditsAreUndone(stage: Stage): Promise<SceneResult> {
  const { screen, options } = stage;
  const results: string[] = [];
  for (const { object, what, patch, isRestored } of handEdits(stage)) {
    screen.working(`editing ${object.name}`);
    const answer = await editByHand(stage, object, patch);
    const editedMs = performance.now();
    if (isRestored(answer)) return disproved(stage, `the edit of ${object.name} did not change anything`);
    const restored = await until(async () => {
      const live = await liveObject(stage, object);
      return live !== undefined && isRestored(live) ? true : undefined;
    }, options);
    if (restored === undefined) return disproved(stage, `the hand edit of ${object.name} was not undone`);
    const took = duration(restored.atMs - editedMs);
    screen.done(`hand edit of ${object.name} ${what} undone after ${took}`);
    results.push(`${object.name.split('/')[0] ?? ''} ${took}`);
  }
  const told = await until(() => eventsOfEdits(stage), options);
  if (told === undefined) return disproved(stage, 'the undone edits left no Events');
  screen.detail(`an Event on each object says what was undone and who had done it`);
  return ['hand edit to restored', results.join(', ')];
}

/** True once each edited object has an Event that names the writer. */
async function eventsOfEdits(stage: Stage): Promise<true | undefined> {
  const { admin, namespace } = stage.cluster;
  const { body } = await admin('GET', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`);
  const told = arrayAt(body, 'items').filter((event) => stringAt(event, 'note')?.includes(HAND) === true);
  const names = new Set(told.map((event) => `${at(event, 'kind')}/${at(event, 'name')}`));
  return handEdits(stage).every(({ object }) => names.has(object.name)) ? true : undefined;
}

function at(event: Json, field: 'kind' | 'name'): string {
  return stringAt(event, 'regarding', field) ?? '';
}

export async function deletionIsUndone(stage: Stage): Promise<SceneResult> {
  const { cluster, screen, options } = stage;
  const object = OBJECTS.service;
  const before = stringAt(await liveObject(stage, object), 'metadata', 'uid');
  screen.working(`deleting ${object.name}`);
  const { status } = await cluster.admin('DELETE', pathOf(object, cluster.namespace));
  const deletedMs = performance.now();
  if (status >= 300) return disproved(stage, `the deletion of ${object.name} was answered with ${status}`);
  const restored = await until(async () => {
    const uid = stringAt(await liveObject(stage, object), 'metadata', 'uid');
    return uid !== undefined && uid !== before ? uid : undefined;
  }, options);
  if (restored === undefined) return disproved(stage, `${object.name} was deleted and did not come back`);
  const took = duration(restored.atMs - deletedMs);
  screen.done(`deletion of ${object.name} undone after ${took}`);
  return ['deletion to restored', took];
}

/** Two bad files in one commit with two good changes. */
export async function badCommitIsIsolated(stage: Stage): Promise<SceneResult> {
  const { repository, screen, options, encrypted, secrets, agent } = stage;
  const { banner, config, deployment, mail } = OBJECTS;
  const mark = (await agent.logLines()).length;
  screen.working('committing two broken files among good changes');
  const bad = { ...BROKEN_BANNER, [mail.file]: tampered(encrypted[mail.file] ?? '') };
  await repository.commit({ ...configFile(GREETINGS.second), ...webFile(REPLICAS.second), ...bad }, 'Two slips');
  const pushedMs = performance.now();
  const rest = await until(async () => {
    const [changed, scaled] = await Promise.all([liveObject(stage, config), liveObject(stage, deployment)]);
    const isLive = stringAt(changed, 'data', 'greeting') === GREETINGS.second;
    return isLive && numberAt(scaled, 'spec', 'replicas') === REPLICAS.second ? true : undefined;
  }, options);
  if (rest === undefined) return disproved(stage, 'two bad files held up the rest of the commit');
  const files = [banner.file, mail.file];
  const reported = await until(async () => {
    const lines = (await agent.logLines()).slice(mark).filter((line) => line['msg'] === 'refused');
    const found = files.map((file) => lines.find((line) => stringAt(line, 'error', 'file') === file));
    return found.every((line) => line !== undefined) ? found : undefined;
  }, options);
  if (reported === undefined) return disproved(stage, `the agent did not report ${files.join(' and ')}`);
  const [keptBanner, keptMail] = await Promise.all([liveObject(stage, banner), liveObject(stage, mail)]);
  const isKept =
    stringAt(keptBanner, 'data', 'text') === 'open all night' &&
    keptMail !== undefined &&
    holdsItsValues(keptMail, { password: secrets.mailPassword });
  if (!isKept) return disproved(stage, `${banner.name} or ${mail.name} did not keep its last good state`);
  const took = duration(rest.atMs - pushedMs);
  screen.done(`bad commit: 2 good changes live after ${took}, 2 bad files isolated`);
  for (const line of reported.value)
    screen.detail(`${placeOf(line)}  ${stringAt(line, 'code') ?? ''}: ${messageOf(line)}`);
  screen.detail(`${banner.name} and ${mail.name} keep their last good state`);
  return ['bad commit', `2 files isolated, the rest live after ${took}`];
}

function placeOf(line: JsonObject | undefined): string {
  const lineNumber = memberAt(line, 'error', 'line');
  const file = stringAt(line, 'error', 'file') ?? '';
  return typeof lineNumber === 'number' ? `${file}:${lineNumber}` : file;
}

function messageOf(line: JsonObject | undefined): string {
  return stringAt(line, 'error', 'message') ?? '';
}

export async function removedObjectIsPruned(stage: Stage): Promise<SceneResult> {
  const { repository, screen, options, encrypted } = stage;
  const { mail, report } = OBJECTS;
  screen.working('committing the repair, and removing an object');
  const files = { ...BANNER, [mail.file]: encrypted[mail.file] ?? '', [report.file]: null };
  await repository.commit(files, 'Repair both files, remove the report');
  const pushedMs = performance.now();
  const gone = await until(async () => ((await liveObject(stage, report)) === undefined ? true : undefined), options);
  if (gone === undefined) return disproved(stage, `${report.name} left Git and is still live`);
  const took = duration(gone.atMs - pushedMs);
  screen.done(`${report.name} removed from Git: pruned ${took} after the push`);
  return ['removed from Git to pruned', took];
}
