/** Value: id of the ConfigMap `sotto-inventory` as an ApplySet parent. On every object that sotto applied but nowhere in Git. */
export const MEMBER_LABEL = 'applyset.kubernetes.io/part-of';

/** One field manager for the whole agent: a manager per sync would orphan fields when a sync is renamed (spec/drift.md 1.4). */
export const FIELD_MANAGER = 'sotto';

/** Writes the stamp that restarts Pods, and nothing else: an apply of ours would take its own field away again. */
export const RESTART_MANAGER = 'sotto-restart';
/** On the Pod template: a keyed digest of the values that its Pods read. */
export const STAMP_ANNOTATION = 'sotto.dev/secrets-digest';

export const INVENTORY_NAME = 'sotto-inventory';
/** On the inventory: the id of the fingerprint key that it was made with. */
export const FINGERPRINT_ANNOTATION = 'sotto.dev/fingerprint';
/** ConfigMaps `sotto-last-0`, `-1`, …: what was applied last, closed. */
export const LAST_PREFIX = 'sotto-last-';
/** ConfigMap with what keys in wrong hands could open, sealed. */
export const EXPOSURE_NAME = 'sotto-exposure';
export const STATUS_NAME = 'sotto-status';
/** ConfigMap in which people ask the agent for something. */
export const REQUESTS_NAME = 'sotto-requests';
/** ConfigMap with the sealing keys that sotto made, each encrypted to the recovery recipients. */
export const RECOVERY_NAME = 'sotto-recovery';
/** Deployment, Service, policy and shared token of a renderer in a Pod of its own. */
export const RENDERER_NAME = 'sotto-renderer';
export const SETTINGS_NAME = 'sotto';
export const SETTINGS_KEY = 'sotto.yaml';
