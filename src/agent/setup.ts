import type { Clock } from '../core/clock.ts';
import { INVENTORY_NAME } from '../core/labels.ts';
import type { Transport } from '../kube/transport.ts';
import { applySetId } from '../plan/applyset.ts';
import type { Logger } from '../report/log.ts';
import type { Metrics } from '../report/metrics.ts';
import type { Settings } from '../settings/settings.ts';
import type { Place } from './context.ts';
import type { AgentRenderer } from './renderer.ts';

/** What an agent is started with. */
export interface AgentSetup {
  readonly agentNamespace: string;
  /** Pod name, or a random word outside a cluster. */
  readonly instance: string;
  /** Undefined outside a cluster. */
  readonly pod: string | undefined;
  readonly version: string;
  /** Absolute; undefined: ConfigMap `sotto`. */
  readonly settingsFile: string | undefined;
  readonly allowSources: readonly string[];
  /** Run even if another agent may be alive. */
  readonly takeOver: boolean;
  /** On a memory volume: Git objects, ciphertext only. */
  readonly workDir: string;
  readonly renderer: AgentRenderer;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Told of settings that come into force: what outlives one agent follows them too. */
  readonly onSettings: (settings: Settings) => void;
}

/** Where an agent that is started so works, with these settings. */
export function placeOf(setup: AgentSetup, settings: Settings): Place {
  const { agentNamespace, instance, version } = setup;
  return {
    agentNamespace,
    targetNamespace: settings.targetNamespace ?? agentNamespace,
    setId: applySetId(INVENTORY_NAME, agentNamespace),
    instance,
    version,
  };
}
