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
  'SOTTO-RENDER-060': {
    title: 'There is no renderer for kustomizations',
    explain:
      'In a cluster kustomize runs in a container of its own (or a Pod of its own) that the agent is told of by --renderer; outside of one the agent takes the kustomize in its PATH. This agent has neither. What runs stays as it is.',
  },
  'SOTTO-RENDER-061': {
    title: 'An address of a renderer cannot be used',
    explain:
      'A renderer is asked at a socket of the file system (unix:/PATH, absolute, at most 107 bytes) or at a port (tcp:HOST:PORT). At a port both sides need the file of a token besides, because whoever answers there says what is applied.',
    example: 'sotto agent --renderer tcp:sotto-renderer:9443 --renderer-token /run/sotto-renderer-token/token',
  },
  'SOTTO-RENDER-062': {
    title: 'The token of agent and renderer cannot be used',
    explain:
      'Where the renderer is a Pod of its own, agent and renderer know each other by Secret sotto-renderer, mounted into both: 32 to 4096 bytes. It is read with each connection, so a new one needs no restart.',
    example: 'openssl rand -hex 32 | kubectl create secret generic sotto-renderer --from-file=token=/dev/stdin',
  },
  'SOTTO-RENDER-063': {
    title: 'The renderer cannot listen',
    explain:
      'The folder of the socket must belong to the user that the renderer runs as and be writable (a memory volume in a Pod), the port be free. What a killed renderer has left behind is removed; anything else of that name is not.',
  },
  'SOTTO-RENDER-064': {
    title: 'The renderer cannot be reached',
    explain:
      'The agent has waited for its renderer and tries again with the next pass. Plain manifests need no renderer and go on; of a kustomization what runs stays as it is, and nothing is pruned.',
    example: 'kubectl get pods; kubectl logs POD -c renderer; kubectl describe pod POD',
  },
  'SOTTO-RENDER-065': {
    title: 'The renderer ended in the middle of a build',
    explain:
      'The connection broke twice while the renderer worked on the same kustomization. Mostly its container was ended for its use of memory: the kustomization multiplies (aliases, many bases) or the limit is low.',
  },
  'SOTTO-RENDER-066': {
    title: 'The answer of the renderer was not understood',
    explain:
      'The agent takes the renderer for hostile: an answer that is larger than may be, or has another form than the one that was asked for, is not used at all.',
  },
  'SOTTO-RENDER-067': {
    title: 'Agent and renderer are of different versions',
    explain:
      'They are one program in one image; their protocol has a number, and the two numbers differ. During an update this passes by itself.',
  },
  'SOTTO-RENDER-068': {
    title: 'The renderer did not take the build',
    explain:
      'A renderer builds one thing at a time and lets few wait. More come only when several agents share one, or when somebody else has got to its address.',
  },
  'SOTTO-RENDER-069': {
    title: 'What answers in the place of the renderer does not know the token',
    explain:
      'Agent and renderer prove to each other that they have the same token before anything is sent. Here that failed: the Secret was changed in one of them only, or something else answers under the name of the renderer.',
  },
  'SOTTO-RENDER-070': {
    title: 'Variables are not taken from a Secret',
    explain:
      'postBuild.substituteFrom takes ConfigMaps. A variable is put where everybody who may read the object can read it, and never into a value of a Secret, so a value out of a Secret would have no place to go. Put it, encrypted, into the Secret that needs it.',
  },
  'SOTTO-RENDER-071': {
    title: 'A ConfigMap with variables does not exist',
    explain:
      'postBuild.substituteFrom names a ConfigMap that is not in the namespace in which objects are applied. The sync waits for it: nothing is changed or pruned, and it goes on as soon as the ConfigMap is there. With optional: true it may be missing.',
  },
  'SOTTO-RENDER-072': {
    title: 'A key of a ConfigMap with variables is not a name',
    explain:
      'All keys under data of a ConfigMap that substituteFrom names are variables. A name has letters, digits and _, and does not begin with a digit.',
  },
  'SOTTO-RENDER-073': {
    title: 'A variable is not known',
    explain:
      'The object uses a variable that has no value and no default. It is refused, because an empty text in its place is seldom meant. A script that uses ${NAME} itself writes $${NAME} or $NAME, or its object has the annotation kustomize.toolkit.fluxcd.io/substitute: disabled.',
  },
  'SOTTO-RENDER-074': {
    title: 'An expression with a variable cannot be read',
    explain:
      'The functions are those of Flux: ${v}, ${#v}, ${v^}, ${v^^}, ${v,}, ${v,,}, ${v:=default}, ${v:-default}, ${v=default}, ${v:offset}, ${v:offset:length}, ${v#pattern}, ${v##pattern}, ${v%pattern}, ${v%%pattern}, ${v/text/by}, ${v//text/by}, ${v/#text/by}, ${v/%text/by}. What Flux itself refuses, or reads in another way than a shell does, is refused. $${ stands for the text ${.',
  },
  'SOTTO-RENDER-075': {
    title: 'The value of a variable does not fit',
    explain:
      'As in Flux, a value is put into the YAML text of the object, so it can become a number or a boolean. It cannot become a mapping, a list, a comment, a tag or a second value: then everybody who may write the ConfigMap could change what the object is. Control characters are refused as well.',
  },
  'SOTTO-RENDER-076': {
    title: 'A variable stands where none may stand',
    explain:
      'Values of Secrets are never changed by variables; apiVersion, kind and the names of the fields at the top are not either, because it is told by them how an object is opened and checked. Write the text itself, or switch substitution off for the object: kustomize.toolkit.fluxcd.io/substitute: disabled.',
  },
  'SOTTO-RENDER-077': {
    title: 'There is too much to substitute',
    explain: 'The work of replacing variables is capped, so that a repository cannot make the agent stand still.',
  },
} as const satisfies Record<string, CodeEntry>;
