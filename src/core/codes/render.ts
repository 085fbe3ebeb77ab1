import type { CodeEntry } from './entry.ts';

export const RENDER_CODES = {
  'SOTTO-RENDER-001': {
    title: 'The path holds a kustomization',
    explain:
      'Rendering kustomizations is not in this version; plain manifests are. Point path at a folder of plain manifests, or keep using the tool that renders it until a later version.',
  },
  'SOTTO-RENDER-002': {
    title: 'A document is not an object',
    explain:
      'A manifest is a mapping with apiVersion, kind and metadata. A list or a single value at the top of a document cannot be applied.',
  },
  'SOTTO-RENDER-003': {
    title: 'A document has no apiVersion, kind or name',
    explain:
      'Every document below the path is taken for a manifest. Files that are none are named in .sourceignore or in ignore of the sync.',
  },
  'SOTTO-RENDER-004': {
    title: 'generateName is not possible here',
    explain: 'An object without a fixed name cannot be kept as Git wants it: every apply would make a new one.',
  },
  'SOTTO-RENDER-005': {
    title: 'A field that must be readable is encrypted',
    explain:
      'apiVersion, kind, metadata and everything else outside data and stringData of a Secret must stay readable, so that the object can be planned and pruned without a key. Set encrypted_regex to ^(data|stringData)$ and encrypt the file again.',
  },
  'SOTTO-RENDER-006': {
    title: 'An encrypted value stands outside a Secret',
    explain:
      'sotto fills values into Secrets only. In a ConfigMap, an environment variable or an annotation everybody who may read the object could read the value.',
  },
  'SOTTO-RENDER-007': {
    title: 'The object is in the repository twice',
    explain:
      'Two documents below the path have the same group, kind, namespace and name. The first one is used until one of them is removed.',
  },
  'SOTTO-RENDER-008': {
    title: 'The API server does not know the kind',
    explain:
      'The kind or its version is not served: it is misspelt, was removed from Kubernetes, or its CRD is not installed yet. The agent looks again while something waits for the kind.',
  },
  'SOTTO-RENDER-009': {
    title: 'The manifest carries a membership label',
    explain:
      'applyset.kubernetes.io/part-of is written by the tool that applies an object; in a manifest it would make the object look like a member of another set.',
  },
  'SOTTO-RENDER-010': {
    title: 'A value of a Secret is not a string',
    explain:
      'A number, boolean or structure stands under data or stringData. SOPS keeps the type of an unquoted value, so quote it before encrypting. It is refused before the request, because the API server repeats the value in its answer.',
  },
  'SOTTO-RENDER-011': {
    title: 'A value under data is not base64',
    explain:
      'data of a Secret holds base64 text. Plain text belongs under stringData. It is refused before the request, because the API server may repeat the value.',
  },
  'SOTTO-RENDER-040': {
    title: 'A line of an env file is not a variable',
    explain:
      'Each line of a file under envs of a generator is NAME=value. A line that is none of that could be part of a secret, and the names of variables are written into the tree that kustomize sees, so the file is refused.',
  },
  'SOTTO-RENDER-041': {
    title: 'A line of an env file is too long',
    explain:
      'kustomize reads env files line by line with a buffer of 64 KiB. It silently drops a longer line and every line after it, so the file is refused.',
  },
  'SOTTO-RENDER-042': {
    title: 'A file cannot be closed in its role',
    explain:
      'An encrypted file is closed for the renderer by its role: objects by value, files of a generator as a whole, env files line by line. The form in which this one is encrypted does not fit its role.',
  },
  'SOTTO-RENDER-043': {
    title: 'A secret came out of the renderer changed',
    explain:
      'Renderers get a placeholder for each secret. A piece of one, or one in another case, was found in an object: something cut or changed it, and the value would be cut or changed in another way or not at all.',
  },
  'SOTTO-RENDER-044': {
    title: 'A text looks like a placeholder but is none',
    explain:
      'The text has the form of the placeholders that stand for secrets while a renderer runs, but this render has none like it. It was copied from somewhere, or is meant to deceive.',
  },
  'SOTTO-RENDER-045': {
    title: 'A secret is joined with other text under data',
    explain:
      'data of a Secret holds base64 text. Text joined to a secret there is joined to its base64 form, which gives something else than the value and the text.',
  },
  'SOTTO-RENDER-046': {
    title: 'A secret that is not text stands where text belongs',
    explain:
      'The value holds bytes that are not UTF-8. They can be a whole entry under data of a Secret, but not part of a JSON or YAML text, of stringData or of a ConfigMap.',
  },
  'SOTTO-RENDER-047': {
    title: 'A secret does not fit into the text around it',
    explain:
      'The value was to be put into a text in which it would mean something else: a line break inside a comment, a key of a YAML text, a base64 text of a form that cannot be written again.',
  },
} as const satisfies Record<string, CodeEntry>;
