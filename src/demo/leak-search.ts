import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { arrayAt, memberAt, stringifyJson } from '../core/json.ts';
import type { Json } from '../core/json.ts';
import { residentBytes } from './agent-child.ts';
import { newFiles } from './disk.ts';
import { scanHolder } from './memory-control.ts';
import { needlesOf, scanBytes, scanProcess } from './memory-scan.ts';
import type { Needles, ScanResult } from './memory-scan.ts';
import { reasonOf } from './failure.ts';
import { counted, mebibytes } from './screen.ts';
import type { SceneResult, Stage } from './stage.ts';

/** One place that was searched. */
interface Finding {
  readonly place: string;
  /** Undefined where the system does not let us look. */
  readonly result: ScanResult | undefined;
  /** How much was looked at. */
  readonly looked: string;
  /** A place that must hold the values: without it a zero elsewhere proves nothing. */
  readonly isControl: boolean;
}

/** The values that were encrypted are looked for wherever they must not be, and where they must. */
export async function plaintextIsNowhere(stage: Stage): Promise<SceneResult> {
  const { screen, secrets } = stage;
  const needles = needlesOf(secrets);
  const resident = residentBytes(stage.agent.pid);
  // Memory first: the other places make the agent answer, which could tidy up.
  screen.working('reading the memory of the agent');
  const memory = await memoryFindings(stage, needles);
  screen.working('searching Git, disk, log, status and Events');
  const elsewhere = [
    await inGit(stage, needles),
    await onDisk(stage, needles),
    await inLog(stage, needles),
    await inConfigMaps(stage, needles),
    await inEvents(stage, needles),
    await inAnswers(stage, needles),
  ];
  const findings = [...elsewhere, ...memory, await inSecrets(stage, needles)].toSorted(
    (a, b) => Number(a.isControl) - Number(b.isControl),
  );
  const total = secrets.values.length;
  screen.done(`plaintext searched for: ${total} values, as text, UTF-16, base64 and hex`);
  for (const finding of findings) screen.detail(lineOf(finding, total));
  const wrong = findings.filter((finding) => !isRight(finding, total));
  if (wrong.length > 0) {
    screen.failed(`not as it must be: ${wrong.map(({ place }) => place).join(', ')}`);
    return undefined;
  }
  const places = findings.filter(({ isControl, result }) => !isControl && result !== undefined).length;
  if (resident !== undefined) screen.done(`the agent takes ${mebibytes(resident)} of RAM, shared pages included`);
  return ['plaintext found', `0 of ${total} values in ${places} places (live Secrets: ${total} of ${total})`];
}

function isRight({ result, isControl }: Finding, total: number): boolean {
  if (result === undefined) return true;
  return isControl ? result.valuesFound === total : result.valuesFound === 0 && result.partials === 0;
}

const PLACE_COLUMNS = 27;
const COUNT_COLUMNS = 8;

function lineOf({ place, result, looked }: Finding, total: number): string {
  const count = result === undefined ? '-' : `${result.valuesFound} of ${total}`;
  const pieces = result !== undefined && result.partials > 0 ? `, ${counted(result.partials, 'piece')}` : '';
  return `${place.padEnd(PLACE_COLUMNS)}${count.padEnd(COUNT_COLUMNS)}${looked}${pieces}`;
}

async function memoryFindings({ agent, secrets }: Stage, needles: Needles): Promise<readonly Finding[]> {
  const place = 'memory of the agent';
  try {
    const result = scanProcess(agent.pid, needles, { freeze: true });
    const control = await scanHolder(secrets, needles);
    return [
      { place, result, looked: `${mebibytes(result.scannedBytes)} writable, process stopped`, isControl: false },
      { place: 'control: a process', result: control, looked: 'that was given the values', isControl: true },
    ];
  } catch (thrown) {
    // Linux only, and only where the system lets a process read its child.
    return [{ place, result: undefined, looked: `cannot be read here: ${reasonOf(thrown)}`, isControl: false }];
  }
}

function found(place: string, needles: Needles, bytes: readonly Uint8Array[], looked: string): Finding {
  const separator = Buffer.from('\n');
  const all = Buffer.concat(bytes.flatMap((piece) => [piece, separator]));
  return { place, result: scanBytes(all, needles), looked, isControl: false };
}

/** Commits, trees and blobs, unpacked, those included that no branch reaches any more. */
async function inGit({ repository }: Stage, needles: Needles): Promise<Finding> {
  const all = ['--batch-all-objects', '--unordered'];
  const list = await repository.git(['cat-file', '--batch-check=%(objectname)', ...all]);
  const contents = await repository.git(['cat-file', '--batch', ...all]);
  const count = list.toString().trim().split('\n').length;
  return found('Git', needles, [contents], `${counted(count, 'object')}, unpacked`);
}

async function onDisk(stage: Stage, needles: Needles): Promise<Finding> {
  const { contents, count } = await newFiles(stage);
  return found('disk', needles, contents, `${counted(count, 'file')} in temp and work folders`);
}

async function inLog({ agent }: Stage, needles: Needles): Promise<Finding> {
  const log = await readFile(agent.logPath);
  const lines = log.toString().split('\n').length - 1;
  return found('log', needles, [log], counted(lines, 'line'));
}

async function inConfigMaps(stage: Stage, needles: Needles): Promise<Finding> {
  const items = await listed(stage, '/api/v1', 'configmaps');
  const packed = items.flatMap((item) => Object.values(memberAt(item, 'binaryData') ?? {}).map(unpacked));
  return found('status, other ConfigMaps', needles, [...items.map(bytesOf), ...packed], `${items.length}, unpacked`);
}

/** The inventory is compressed. */
function unpacked(entry: Json): Uint8Array {
  const bytes = Buffer.from(typeof entry === 'string' ? entry : '', 'base64');
  try {
    return gunzipSync(bytes);
  } catch {
    return bytes;
  }
}

async function inEvents(stage: Stage, needles: Needles): Promise<Finding> {
  const items = await listed(stage, '/apis/events.k8s.io/v1', 'events');
  return found('Events', needles, items.map(bytesOf), String(items.length));
}

const ANSWERS = ['metrics', 'readyz', 'healthz'];

async function inAnswers({ agent }: Stage, needles: Needles): Promise<Finding> {
  const answers = await Promise.all(
    ANSWERS.map(async (path) => new Uint8Array(await (await fetch(`${agent.url}/${path}`)).arrayBuffer())),
  );
  return found('metrics and probes', needles, answers, `${answers.length} answers`);
}

async function inSecrets(stage: Stage, needles: Needles): Promise<Finding> {
  const items = await listed(stage, '/api/v1', 'secrets');
  return {
    ...found('control: live Secrets', needles, items.map(bytesOf), 'where they belong'),
    isControl: true,
  };
}

async function listed({ cluster }: Stage, api: string, plural: string): Promise<readonly Json[]> {
  const { status, body } = await cluster.admin('GET', `${api}/namespaces/${cluster.namespace}/${plural}`);
  if (status !== 200) throw new Error(`${plural} cannot be listed: ${status}`);
  return arrayAt(body, 'items');
}

function bytesOf(object: Json): Uint8Array {
  return Buffer.from(stringifyJson(object));
}
