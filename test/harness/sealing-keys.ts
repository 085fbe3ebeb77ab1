import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { arrayAt, type Json, stringAt } from '../../src/core/json.ts';
import { secretPath } from './objects.ts';
import { stockOutput } from './stock.ts';
import { secret, type World } from './world.ts';

const STOCK_LABEL = 'sealedsecrets.bitnami.com/sealed-secrets-key';

/** Secrets with the sealing keys of the agent of a world. */
export async function sealingKeys(world: World): Promise<readonly Json[]> {
  const selector = encodeURIComponent(STOCK_LABEL);
  return arrayAt(await world.get(`/api/v1/namespaces/${world.namespace}/secrets?labelSelector=${selector}`), 'items');
}

export function sealingState(key: Json): string {
  return stringAt(key, 'metadata', 'annotations', 'sotto.dev/state') ?? 'active';
}

/** Secret `db` with a value of the world, as stock kubeseal seals it for a key. */
export async function sealedFor(world: World, key: Json | undefined, index: number): Promise<string> {
  const certificate = join(world.folder, 'certificate.pem');
  writeFileSync(certificate, entryOf(key, 'tls.crt'));
  const args = ['--cert', certificate, '--namespace', world.namespace, '--format', 'yaml'];
  const manifest = JSON.stringify(secret('db', { password: world.value(index) }));
  return (await stockOutput('kubeseal', args, { stdin: manifest })).toString();
}

/** What stock kubeseal makes of a SealedSecret with one key alone. */
export async function openedWith(world: World, key: Json | undefined, sealed: string): Promise<string> {
  const file = join(world.folder, 'sealing.key');
  writeFileSync(file, entryOf(key, 'tls.key'), { mode: 0o600 });
  const args = ['--recovery-unseal', '--recovery-private-key', file];
  return (await stockOutput('kubeseal', args, { stdin: sealed })).toString();
}

/** The live password of Secret `db`. */
export async function password(world: World): Promise<string> {
  return entryOf(await world.get(secretPath(world.namespace, 'db')), 'password').toString();
}

function entryOf(object: Json | undefined, name: string): Buffer {
  return Buffer.from(stringAt(object, 'data', name) ?? '', 'base64');
}
