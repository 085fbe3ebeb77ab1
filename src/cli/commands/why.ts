import type { Command } from 'commander';
import { ownerOf } from '../../apply/first-contact.ts';
import { type Json, arrayAt, memberAt, stringAt } from '../../core/json.ts';
import { FIELD_MANAGER, INVENTORY_NAME } from '../../core/labels.ts';
import type { HealthRules } from '../../expression/health-rules.ts';
import { computeStatus } from '../../health/status.ts';
import { kubeError } from '../../kube/errors.ts';
import { failureOf } from '../../kube/failure.ts';
import { getMetadata, getObject } from '../../kube/objects.ts';
import { objectIdIn, type Resource } from '../../kube/resource.ts';
import { applySetId } from '../../plan/applyset.ts';
import { addClusterOptions, type Cluster, type ClusterFlags, discoverKinds, withCluster } from '../cluster.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { liveSettings } from '../install/removal.ts';
import { type InventoryPlaces, readInventory } from '../inventory-rows.ts';
import { kindsOf, type ObjectReference, readReference } from '../object-reference.ts';
import { outputOption } from '../options.ts';
import { writeData } from '../output.ts';
import { readStatus } from '../status-document.ts';
import { escaped, paintFor } from '../terminal.ts';
import { explain, type LiveFacts } from '../why.ts';
import { whyText } from '../why-view.ts';

interface WhyFlags extends ClusterFlags {
  readonly output?: 'json';
}

const EXAMPLES = `
Tells from the status, the inventory and the live object (of a Secret its metadata only): which sync keeps it, from which
file and line, at which revision, in which state, what was undone on it last, whether it is paused, whose it is when it
is not ours, and what is wrong with the next step. Kinds are written as for kubectl.

Examples:
  sotto why deploy/web -n team-app
  sotto why apps/Deployment/web -n team-app
  sotto why secret db -n team-app -o json

Exit code: 0 nothing is wrong with it, 1 findings, or there is no such object, 2 usage, 3 cluster unreachable,
5 forbidden.`;

export function register(program: Command, context: CommandContext): void {
  addClusterOptions(program.command('why').description('all that is known about one object'))
    .argument('<object...>', 'KIND/NAME, GROUP/KIND/NAME, or KIND NAME')
    .addOption(outputOption(['json'], 'print it as JSON'))
    .addHelpText('after', EXAMPLES)
    .action((words: readonly string[], flags: WhyFlags) => why(readReference(words), flags, context));
}

function why(reference: ObjectReference, flags: WhyFlags, context: CommandContext): Promise<void> {
  return withCluster(flags, context, async (cluster) => {
    const { signal } = context;
    const kinds = kindsOf(reference, await discoverKinds(cluster, signal));
    const [status, inventory] = await Promise.all([readStatus(cluster, signal), readInventory(cluster, signal)]);
    // Those of --config are not in the cluster: what the agent says of the object stands among the findings then.
    const settings = await liveSettings({ transport: cluster.transport, signal }, cluster.namespace);
    const rulesOf = (sync: string): HealthRules | undefined =>
      settings?.syncs.find(({ name }) => name === sync)?.health;
    const { resource, live } = await find({ cluster, reference, inventory, rulesOf, signal }, kinds);
    const id = objectIdIn(resource, inventory?.targetNamespace ?? cluster.namespace, reference.name);
    const found = explain({ id, place: placeOf(inventory, resource, reference.name), live, status });
    if (live.kind === 'absent' && !found.kept && found.findings.length === 0) {
      throw kubeError(failureOf({ kind: 'not-found', status: 404 }), {
        verb: 'get',
        resource,
        namespace: id.namespace,
        name: reference.name,
      });
    }
    const json = flags.output === 'json';
    await writeData(
      context,
      json ? escaped(`${JSON.stringify(found)}\n`) : whyText(found, paintFor(context, 'stdout')),
    );
    if (found.findings.length > 0) context.exitWith(EXIT.findings);
    if (live.kind === 'hidden') context.exitWith(EXIT.forbidden);
  });
}

interface Found {
  readonly resource: Resource;
  readonly live: LiveFacts;
}

interface Search {
  readonly cluster: Cluster;
  readonly reference: ObjectReference;
  readonly inventory: InventoryPlaces | undefined;
  /** When objects of a sync count as ready. */
  rulesOf(sync: string): HealthRules | undefined;
  readonly signal: AbortSignal;
}

/** A short name may mean kinds of several groups: the one that sotto keeps, else the first that exists. */
async function find(search: Search, kinds: readonly [Resource, ...Resource[]]): Promise<Found> {
  const { inventory, reference } = search;
  const kept = kinds.find((resource) => placeOf(inventory, resource, reference.name) !== undefined);
  const candidates = kept === undefined ? kinds : [kept];
  let first: Found | undefined;
  for (const resource of candidates) {
    const found = { resource, live: await readLive(search, resource) };
    if (found.live.kind === 'there') return found;
    first ??= found;
  }
  return first ?? { resource: kinds[0], live: { kind: 'absent' } };
}

function placeOf(inventory: InventoryPlaces | undefined, { group, kind }: Resource, name: string) {
  return inventory?.places.find(({ id }) => id.group === group && id.kind === kind && id.name === name);
}

async function readLive(search: Search, resource: Resource): Promise<LiveFacts> {
  const { cluster, inventory, signal } = search;
  const { name } = search.reference;
  const namespace = inventory?.targetNamespace ?? cluster.namespace;
  const rules = search.rulesOf(placeOf(inventory, resource, name)?.sync ?? '');
  const { transport, connection } = cluster;
  const target = { namespace, name, signal };
  const found = resource.secret
    ? await getMetadata(transport, { ...target, resource })
    : await getObject(transport, { ...target, resource });
  if (!found.ok) {
    const error = kubeError(found.failure, { verb: 'get', resource, namespace, name, user: connection.user });
    if (found.failure.kind !== 'forbidden') throw error;
    return { kind: 'hidden', why: error.next };
  }
  if (found.value === undefined) return { kind: 'absent' };
  const metadata = memberAt(found.value, 'metadata');
  return {
    kind: 'there',
    uid: stringAt(metadata, 'uid') ?? '',
    owner: ownerOf(metadata, applySetId(INVENTORY_NAME, cluster.namespace)),
    health: resource.secret ? undefined : computeStatus(found.value, new Date(), rules),
    managers: managersIn(metadata),
  };
}

function managersIn(metadata: Json | undefined): string[] {
  const all = arrayAt(metadata, 'managedFields').flatMap((entry) => stringAt(entry, 'manager') ?? []);
  return [...new Set(all)].filter((manager) => manager !== FIELD_MANAGER);
}
