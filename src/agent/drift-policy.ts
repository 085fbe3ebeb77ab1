import type { DriftPolicy } from '../drift/policy.ts';

/**
 * The policy of every object in this version: our fields are restored whoever changed them, additions by people at a
 * keyboard are undone, additions by controllers stay.
 */
export const DEFAULT_POLICY: DriftPolicy = { ownership: { kind: 'guard' }, ignorePaths: [], ignoreManagers: [] };
