import type { CodeEntry } from './entry.ts';

export const RENDER_CODES = {
  'SOTTO-RENDER-001': {
    title: 'A folder below the path holds a kustomization, the path itself does not',
    explain:
      'A path with a kustomization of its own is built by kustomize; a path without one is applied as the files it holds. With a kustomization further down neither is meant: the files there are not what the kustomization says. Make the folder a resource of a kustomization of the path, point path at it, or name it in .sourceignore.',
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
  'SOTTO-RENDER-020': {
    title: 'A kustomization names something outside of the repository',
    explain:
      'kustomize would fetch the address (https, ssh, git, file, user@host:path, github.com/…) in the middle of the build. sotto fetches nothing while it renders, so that a commit says all of what is applied. Commit a copy and name it by its path.',
  },
  'SOTTO-RENDER-021': {
    title: 'A path leads out of where kustomize may read',
    explain:
      'Files are read in and below the folder of the kustomization that names them, folders (bases, components) anywhere in the repository. Absolute paths and paths out of the repository are refused.',
  },
  'SOTTO-RENDER-022': {
    title: 'A kustomization names something that is not there',
    explain:
      'The path counts from the folder of the kustomization, also inside of generator and transformer configurations. Upper and lower case count.',
  },
  'SOTTO-RENDER-023': {
    title: 'A path is a link or a submodule',
    explain: 'Only regular files are rendered: a link could point at anything, and a submodule is another repository.',
  },
  'SOTTO-RENDER-024': {
    title: 'A kustomize plugin is not used',
    explain:
      'Under generators, transformers and validators stand files or texts with apiVersion builtin and a kind that kustomize has built in. Programs, containers, Go plugins and folders (which would be built first) are refused: what they do cannot be known beforehand.',
  },
  'SOTTO-RENDER-025': {
    title: 'A kustomization inflates a Helm chart',
    explain: 'helmCharts and its relatives make kustomize start helm. Commit what the chart renders to instead.',
  },
  'SOTTO-RENDER-026': {
    title: 'A field of a kustomization is not known',
    explain:
      'The fields are those of kustomize 5.8, in exactly that spelling: kustomize itself would read Resources as resources. An unknown field might name files in a way that was not looked at.',
  },
  'SOTTO-RENDER-027': {
    title: 'A folder has no kustomization, or more than one',
    explain: 'A base or component is a folder with exactly one kustomization.yaml, kustomization.yml or Kustomization.',
  },
  'SOTTO-RENDER-028': {
    title: 'A file is used in two roles',
    explain:
      'Secrets in a resource are closed one by one, those in a file of a generator as a whole, those in an env file line by line. An encrypted file can therefore have one of these roles only. A kustomization or plugin configuration cannot be the content of a generated object besides.',
  },
  'SOTTO-RENDER-029': {
    title: 'A configuration of kustomize is encrypted',
    explain:
      'Kustomizations, generator and transformer configurations, CRD schemas and the like say what is read and built. They stay readable; secrets go into files that they name.',
  },
  'SOTTO-RENDER-030': {
    title: 'A replacement splits a value that may be a secret',
    explain:
      'source.options.delimiter takes a piece of a value. kustomize sees a stand-in without any delimiter, so the piece would be the whole of it, and the wrong value would be applied. It is refused when the source is a Secret, may be one, or gets its value from one by another replacement. For the same reason a target with options.delimiter may not be a value that is encrypted: keep the template of a URL in clear (in a ConfigMap, or in a Secret whose other values are encrypted), or encrypt the URL as a whole.',
  },
  'SOTTO-RENDER-031': {
    title: 'A line of an env file is too long',
    explain:
      'kustomize reads env files line by line with a buffer of 64 KiB. A longer line is dropped without a word, and all lines after it. Name the value as a file under files instead.',
  },
  'SOTTO-RENDER-032': {
    title: 'A JSON patch tests a value of a Secret',
    explain:
      'The operation test compares with a value that kustomize does not have: it works on a stand-in. Without target.kind any object may be meant.',
  },
  'SOTTO-RENDER-033': {
    title: 'An encrypted file cannot be used in this place',
    explain:
      'A resource or patch is encrypted as YAML or JSON, with its structure readable; a file encrypted as a whole fits under files of a generator. envs wants lines: dotenv, or a whole file of such lines.',
  },
  'SOTTO-RENDER-034': {
    title: 'Kustomizations go round in a circle',
    explain:
      'A base or component may not be a folder that is being built, nor one above it: the build would never end. The message names the reference that closes the circle; take it out.',
  },
  'SOTTO-RENDER-035': {
    title: 'A kustomization is too large to be rendered',
    explain:
      'Files, bytes, YAML nodes and the number of builds are capped before kustomize starts. Aliases count as what they stand for, and a base as often as it is built.',
  },
  'SOTTO-RENDER-036': {
    title: 'A field of a kustomization has the wrong form',
    explain:
      'A list, mapping or text is expected there, or one document in the file. The message has file, line and field; `kustomize build` on the decrypted files says the same.',
  },
  'SOTTO-RENDER-037': {
    title: 'kustomize refused to build',
    explain:
      'The message of kustomize may quote files, so its meaning is told in other words, with the file where it is known. The same build in a checkout shows the message itself.',
  },
  'SOTTO-RENDER-038': {
    title: 'kustomize was ended',
    explain: 'A build has limits on time, memory and output. What runs stays as it is, and nothing is pruned.',
  },
  'SOTTO-RENDER-039': {
    title: 'kustomize cannot be started, or its files cannot be written',
    explain:
      'The program is missing, or the folder for temporary files has no space or no rights. In a Pod that folder is a memory volume.',
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
  'SOTTO-RENDER-048': {
    title: 'There is no kustomize to build with',
    explain:
      'A kustomization is built by the kustomize program, in the cluster in a container of its own, elsewhere as a child process. The agent was started without the one and found no program of that name on its PATH.',
  },
} as const satisfies Record<string, CodeEntry>;
