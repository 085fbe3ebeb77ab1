import type { CodeEntry } from './entry.ts';

/** Of rotations that the agent makes itself. */
export const ROTATE_AGENT_CODES = {
  'SOTTO-ROTATE-020': {
    title: 'The agent has no credential to push with',
    explain:
      'A rotation by the agent (--in-cluster) ends in a branch that it pushes, with a credential of a Secret that is for nothing else: label sotto.dev/use: git-write, annotation sotto.dev/for with the beginning of the URL. The credential that the sync reads with is never used for that, whatever it may do at the host. Nothing was made or changed.',
    example:
      'kubectl create secret generic git-push -n team-app --from-literal=username=bot --from-file=password=token.txt\nkubectl label secret git-push -n team-app sotto.dev/use=git-write\nkubectl annotate secret git-push -n team-app sotto.dev/for=https://git.example.com/team/app.git',
  },
  'SOTTO-ROTATE-021': {
    title: 'More than one credential could push',
    explain:
      'Several Secrets with the label sotto.dev/use: git-write are for this source by their annotation sotto.dev/for, and nothing says which is meant. Nothing was made or changed.',
    example: 'kubectl get secret -n team-app -l sotto.dev/use=git-write',
  },
  'SOTTO-ROTATE-022': {
    title: 'There is a branch of this name already',
    explain:
      'The branch that the rotation would be pushed to exists at the server and is not what this rotation has pushed. It stays as it is: nothing is ever pushed by force. Choose another name with --branch, or delete the branch if it is not needed.',
    example: 'sotto rotate --in-cluster -n team-app --branch rotate-2027',
  },
  'SOTTO-ROTATE-023': {
    title: 'A rotation by the agent never goes onto the followed branch',
    explain:
      'The agent pushes a branch for people to look at and to merge. The branch that a sync of this repository follows is never pushed to.',
    example: 'sotto rotate --in-cluster -n team-app --branch rotate-2027',
  },
  'SOTTO-ROTATE-024': {
    title: 'The branch of a rotation was not pushed',
    explain:
      'Everything was encrypted anew in the memory of the agent, and then the commit could not be made or the server did not take it: no right to write, a rule for branches, no connection. The server is as it was. A key that was made stays and is taken by the next run.',
    example: 'sotto logs -n team-app',
  },
  'SOTTO-ROTATE-025': {
    title: 'The repository is too large for a rotation by the agent',
    explain:
      'The agent reads everything of the commit, because each file may be encrypted, onto a memory volume that the syncs use too. Over a cap (64 MiB fetched; of what may be encrypted 10,000 files and 16 MiB, each path counted; the time that the rules of .sops.yaml take) it stops before anything was made. A rotation from a checkout has no such cap.',
    example: 'sotto rotate --new-secret -n team-app --branch rotate-2027 --push',
  },
  'SOTTO-ROTATE-026': {
    title: 'A sync would not open its files with the new key',
    explain:
      'The new key is a Secret of the agent with the label sotto.dev/use: keys, which counts for syncs that have no decryption.keys of their own. A sync of the same repository has some, so it could not open what the rotation makes. Nothing was made or changed.',
    example: 'sotto rotate --key-file old.txt --new-key /dev/shm/new.txt --branch rotate-2027',
  },
  'SOTTO-ROTATE-027': {
    title: 'The rotation is another one than was shown',
    explain:
      'A request for a rotation names the plan that a person has seen: which key goes, and who will be able to open the files. On the branch that the agent reads this has become something else, or the request names no plan. Nothing was made or changed.',
    example: 'sotto rotate --in-cluster -n team-app --plan',
  },
  'SOTTO-ROTATE-028': {
    title: 'A rule names somebody for whom a file is not yet',
    explain:
      'A rotation changes one key for another and lets nobody else in. A rule of .sops.yaml names a recipient that a file does not have, or wants fewer key groups than the file, so encrypting by that rule would give the values of the file to somebody who cannot open it now. A person with a key does that, in a commit that somebody looks at. Nothing was made or changed.',
    example: 'sotto recipients check',
  },
  'SOTTO-ROTATE-029': {
    title: 'The agent does not hold the key that it has made',
    explain:
      'The new key was stored as a Secret, and the agent does not read it back as a key of its syncs: it was changed or removed meanwhile. Nothing was encrypted for it.',
    example: 'sotto keys list -n team-app',
  },
  'SOTTO-ROTATE-120': {
    title: 'A rotation by the agent would be for somebody whom its settings do not name',
    explain:
      'The recipients in a SOPS file are not authenticated, and whoever pushes writes them and .sops.yaml. Whom the agent encrypts for besides its own key is therefore for its settings to say, which nobody who only pushes can change: rotation.recipients, and sealing.recovery. A file or rule is for somebody else. Nothing was made or changed. Add whoever may read everything to the settings, or remove him from the files.',
    example: 'sotto recipients list\nrotation: { recipients: [ "age1…" ] }   (sotto.yaml)',
  },
  'SOTTO-ROTATE-121': {
    title: 'The plan of a rotation has no room in an answer',
    explain:
      'Before a rotation by the agent a person sees for whom the files will be, every one by name, and says yes to that. An answer in the status has a thousand characters, and these are too many for it. Nothing was made or changed.',
    example: 'sotto rotate --new-secret -n team-app --branch rotate-2027 --push',
  },
  'SOTTO-ROTATE-122': {
    title: 'The key that would give way is not for the agent to replace',
    explain:
      'A rotation by the agent puts a new key of the agent in the place of one that it holds. The key of a person, or one of sealing.recovery, is not replaced on request: files would be lost to them. Nothing was made or changed.',
    example: 'sotto keys list -n team-app',
  },
  'SOTTO-ROTATE-123': {
    title: 'The commit of a rotation could not be written',
    explain:
      'A file that would be encrypted anew has a path that is no UTF-8, or something else is where the receipt goes: .sotto has to be a folder or not there, and .sotto/rotation.json a plain file. Nothing was made or changed.',
    example: 'git ls-tree HEAD .sotto .sotto/rotation.json',
  },
  'SOTTO-ROTATE-036': {
    title: 'A rotation was begun three times, and the agent ended each time',
    explain:
      'A request for a rotation stays until it is answered, so that the next agent goes on where one was stopped. This one was begun three times without an answer: it may be what ends the agent, by memory or time, so it is answered and removed. Annotation sotto.dev/begun of ConfigMap sotto-requests counts. A key that was made stays and is taken by the next run.',
    example: 'sotto rotate status -n team-app',
  },
} as const satisfies Record<string, CodeEntry>;
