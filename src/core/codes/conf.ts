import type { CodeEntry } from './entry.ts';

export const CONF_CODES = {
  'SOTTO-CONF-001': {
    title: 'A setting has a value of the wrong form',
    explain:
      'The field named does not hold what it must hold; the message says which form is expected. The last good settings stay in use.',
  },
  'SOTTO-CONF-002': {
    title: 'A setting is not known',
    explain:
      'The settings have a field that this version does not know, often a typing mistake; the nearest known field is named. The last good settings stay in use.',
  },
  'SOTTO-CONF-003': {
    title: 'A setting is not in this version',
    explain:
      'The field belongs to a feature that is described but not built yet. It is refused and never silently ignored; its default, which means off, is accepted.',
  },
  'SOTTO-CONF-004': {
    title: 'A setting is missing',
    explain: 'The field named has no default and must be given. The last good settings stay in use.',
  },
  'SOTTO-CONF-005': {
    title: 'Two syncs have the same name',
    explain: 'The name identifies a sync in inventory, status and requests, so it must be unique.',
  },
  'SOTTO-CONF-006': {
    title: 'Settings that exclude each other are given together',
    explain: 'Only one source, one kind of ref and one renderer can be meant. Keep the one that is.',
  },
  'SOTTO-CONF-007': {
    title: 'A URL in the settings holds credentials',
    explain:
      'Settings can be read by everybody who reads ConfigMaps in the namespace. Put the credentials into a Secret with the label sotto.dev/use, name it in secretRef, and revoke those that were written here.',
  },
  'SOTTO-CONF-008': {
    title: 'The settings are not one YAML mapping',
    explain: 'The text of sotto.yaml must be exactly one YAML document whose top level is a mapping.',
  },
  'SOTTO-CONF-009': {
    title: 'The settings are too large',
    explain: 'The text of sotto.yaml is larger than the limit for settings. Nothing of it was read.',
  },
  'SOTTO-CONF-010': {
    title: 'The settings are of another version',
    explain:
      'The settings do not begin with the apiVersion and kind of this version of sotto, so their fields cannot be trusted to mean what they mean here.',
    example: 'apiVersion: sotto.dev/v1alpha1\nkind: Config',
  },
  'SOTTO-CONF-012': {
    title: 'There are no settings to read',
    explain:
      'ConfigMap sotto (or the file named by --config) does not exist or has no key sotto.yaml. The last good settings stay in force; without any, the agent does nothing and says so.',
    example: 'kubectl create configmap sotto -n team-app --from-file=sotto.yaml',
  },
  'SOTTO-CONF-013': {
    title: 'A sync depends on one that the settings do not have',
    explain:
      'dependsOn names other syncs of the same settings. A name that is not among them would be waited for without end.',
  },
  'SOTTO-CONF-014': {
    title: 'Syncs depend on each other in a circle',
    explain:
      'Each of them would wait for the other, so none would ever be applied. A sync that depends on itself is such a circle too.',
  },
} as const satisfies Record<string, CodeEntry>;
