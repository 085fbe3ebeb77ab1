import { memberAt, stringAt } from '../core/json.ts';
import { RENDERER_NAME } from '../core/labels.ts';
import { STOCK_SEALING_LABEL, USE_LABEL } from '../keys/marks.ts';
import { namedKeySecrets } from '../keys/select.ts';
import { listMetadata } from '../kube/lists.ts';
import { SECRETS } from '../kube/resource.ts';
import type { AccountName } from '../kube/service-account.ts';
import type { Transport } from '../kube/transport.ts';
import type { VetoRules } from '../render/veto-rules.ts';
import type { Settings } from '../settings/settings.ts';

/** Always protected: the one that `deploy/` makes, also where the agent asks as somebody else. */
const USUAL_ACCOUNT = 'sotto';

/** What the vetoes protect, by the settings and the marks of live Secrets. `account`: as whom the agent asks, where it is one. */
export function vetoRules(
  settings: Settings,
  agentNamespace: string,
  account: AccountName | undefined,
  markedSecrets: ReadonlySet<string>,
): VetoRules {
  const own = account?.namespace === agentNamespace ? [account.name] : [];
  const credentials = settings.syncs.flatMap(({ source }) => source.git.secretName ?? []);
  return {
    lifted: settings.liftedVetoes,
    agentNamespace,
    targetNamespace: settings.targetNamespace ?? agentNamespace,
    accounts: [...new Set([...own, USUAL_ACCOUNT])],
    namedSecrets: new Set([settings.fingerprintSecret, RENDERER_NAME, ...namedKeySecrets(settings), ...credentials]),
    markedSecrets,
  };
}

/** As the agent would judge, for somebody who may not be allowed to list Secrets: then by what the settings name. */
export async function askVetoRules(
  transport: Transport,
  settings: Settings,
  agentNamespace: string,
): Promise<VetoRules> {
  const marked = new Set<string>();
  for (const labelSelector of [USE_LABEL, STOCK_SEALING_LABEL]) {
    const listed = await listMetadata(transport, SECRETS, { namespace: agentNamespace, labelSelector });
    for (const item of listed.ok ? listed.value.items : []) {
      marked.add(stringAt(memberAt(item, 'metadata'), 'name') ?? '');
    }
  }
  return vetoRules(settings, agentNamespace, undefined, marked);
}
