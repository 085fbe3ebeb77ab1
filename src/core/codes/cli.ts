import type { CodeEntry } from './entry.ts';

export const CLI_CODES = {
  'SOTTO-CLI-001': {
    title: 'The command line is not valid',
    explain:
      'A flag or an argument is missing, unknown or has a value that cannot be used. The help of the command lists them.',
  },
  'SOTTO-CLI-002': {
    title: 'The command stopped at a defect of sotto',
    explain:
      'Something happened that the program did not foresee; it is not your mistake. Report it with the command; SOTTO_DEBUG=1 adds the places in the source, never a value. The exit code is 2, so that it is never taken for findings.',
  },
  'SOTTO-CLI-003': {
    title: 'The command or flag is not in this version',
    explain:
      'It is described but not built yet. It is refused by name and never silently ignored; the message says what to do instead.',
  },
  'SOTTO-CLI-004': {
    title: 'Node.js is too old',
    explain: 'sotto needs Node.js 24.15 or newer. After npm ci a fitting one lies in node_modules/.bin/node.',
  },
  'SOTTO-CLI-005': {
    title: 'A file cannot be read',
    explain: 'The file named on the command line is missing, not readable, no text, or too large.',
  },
  'SOTTO-CLI-006': {
    title: 'A file cannot be written',
    explain:
      'The new content is written beside the file and renamed over it, so that the file is either as it was or complete. The folder must be writable too.',
  },
  'SOTTO-CLI-007': {
    title: 'Nobody is named to encrypt for',
    explain:
      'Encryption needs at least one recipient: from --age, SOPS_AGE_RECIPIENTS, or the first matching rule of the .sops.yaml found upwards from the working directory.',
    example: 'sotto encrypt -i --age age1… db.yaml',
  },
  'SOTTO-CLI-008': {
    title: 'No key is at hand',
    explain:
      'Decryption looks for identities in --key-file, SOPS_AGE_KEY, SOPS_AGE_KEY_FILE, the commands of SOPS_AGE_KEY_CMD and SOPS_AGE_SSH_PRIVATE_KEY_CMD, SSH keys and the keys.txt of sops, and for sealing keys in --key-file. None of them held a key of the kind that is needed; the message names for whom the file is encrypted.',
    example: 'sotto decrypt --key-file age.agekey db.yaml',
  },
  'SOTTO-CLI-009': {
    title: 'A key file cannot be used',
    explain:
      'A file given with --key-file is read as age identities, as a private key in PEM, or as a Secret or List of Secrets in YAML or JSON. This one is none of them, or holds no key.',
  },
  'SOTTO-CLI-010': {
    title: 'There is no status yet',
    explain:
      'The namespace has no ConfigMap sotto-status, or it holds no status document. Either no agent has run in this namespace, or another namespace is meant.',
    example: 'sotto status -n team-app',
  },
  'SOTTO-CLI-011': {
    title: 'The status document cannot be read',
    explain: 'It is not JSON, or of a schema that this version of sotto does not know. Use the version the agent has.',
  },
  'SOTTO-CLI-012': {
    title: 'Encryption would protect nothing',
    explain:
      'No value of the file is chosen by the selector in force, so the result would be plaintext with metadata. Nothing was written.',
  },
  'SOTTO-CLI-030': {
    title: 'The demo has no API server to run against',
    explain:
      'sotto demo starts etcd and kube-apiserver on loopback. It takes them from KUBEBUILDER_ASSETS, from PATH in exactly the pinned version, or from its cache; otherwise it builds them once, for which Go is needed. With --context it runs on an existing cluster and needs none of them.',
  },
  'SOTTO-CLI-031': {
    title: 'The demo runs from a checkout',
    explain:
      'The tools that sotto demo builds are described in test/tools of the checkout, which an installed package does not have. Run npm run demo in a checkout, or use --context.',
  },
  'SOTTO-CLI-032': {
    title: 'A tool of the demo could not be built',
    explain:
      'Go ended with an error while it built etcd or kube-apiserver. What was built so far is kept for the next try.',
  },
  'SOTTO-CLI-033': {
    title: 'The API server of the demo did not start',
    explain:
      'etcd or kube-apiserver ended, or was not ready in time. Both run on loopback with nothing but the demo in them.',
  },
  'SOTTO-CLI-034': {
    title: 'The namespace of the demo exists already',
    explain:
      'On an existing cluster sotto demo works only in a namespace that it makes and removes itself, so that nothing of anybody else is touched.',
  },
  'SOTTO-CLI-035': {
    title: 'The cluster refused what the demo needs',
    explain:
      'The demo makes a namespace, in it a ServiceAccount with a Role, a RoleBinding and a token, two key Secrets and one ConfigMap. One of these was refused or the API server did not answer.',
  },
  'SOTTO-CLI-036': {
    title: 'The agent of the demo did not start',
    explain: 'The demo runs sotto agent as a process of its own. It ended or said nothing in time.',
  },
  'SOTTO-CLI-037': {
    title: 'The demo needs git',
    explain:
      'The demo serves its repository with git http-backend, and the agent fetches with git. Neither works without it.',
  },
  'SOTTO-CLI-046': {
    title: 'No agent answers',
    explain:
      'The request was written and nobody took it up, so it was withdrawn: nothing happens later unasked. Either no agent runs in the namespace, or it cannot reach the API server, or another namespace was meant.',
  },
  'SOTTO-CLI-047': {
    title: 'The agent is still at it',
    explain:
      'The agent has taken the request up and did not finish within --timeout. It goes on; sotto status tells how it ends.',
  },
  'SOTTO-CLI-050': {
    title: 'One object or one sync',
    explain:
      'The command works on one object, or with --sync on everything of one sync; it needs exactly one of the two.',
  },
  'SOTTO-CLI-051': {
    title: 'The end of a pause is not a time',
    explain:
      'A pause ends by itself: --for takes a duration (30m, 8h, 3d), --until a time (2027-01-31T12:00:00Z). 90 days are the most.',
  },
  'SOTTO-CLI-052': {
    title: 'You may not ask the agent',
    explain:
      'Asking the agent is a right of its own: get and patch on ConfigMap sotto-requests, get, list and watch on sotto-status. Role sotto-requests of deploy/ holds exactly that.',
  },
  'SOTTO-CLI-080': {
    title: 'The page cannot be served',
    explain:
      'The address in page.listen of the settings cannot be listened on: another program has it, or the machine does not. The agent does its work without the page and tries again every 30 seconds.',
  },
  'SOTTO-CLI-060': {
    title: 'Nobody is there to say yes',
    explain:
      'A command that changes the cluster shows its plan and asks. Without a terminal it does not guess: look at the plan with --dry-run and give --yes.',
  },
  'SOTTO-CLI-061': {
    title: 'You may not hand on these rights',
    explain:
      'Kubernetes lets nobody make a Role that gives more than they have themselves. sotto check --pre says whether some kinds can be left out, and otherwise prints what somebody with more rights has to apply.',
  },
  'SOTTO-CLI-062': {
    title: 'The image cannot be used',
    explain:
      'An image is named as NAME, NAME:TAG or NAME@sha256:DIGEST. By digest it cannot be replaced by another one under the same name.',
  },
  'SOTTO-CLI-063': {
    title: 'A kind cannot be left out of the Role',
    explain:
      'install --without takes the resources of the Role by name, such as ingresses.networking.k8s.io. Secrets, ConfigMaps and Pods are those that the agent itself works with and cannot be left out.',
  },
  'SOTTO-CLI-081': {
    title: 'No such kind, or not the name of an object',
    explain:
      'An object is written KIND/NAME, GROUP/KIND/NAME or KIND NAME. The kind may be its name, plural or short name, with .GROUP behind it where several groups have one, as for kubectl. Only kinds that live in a namespace are meant.',
    example: 'sotto why deploy/web -n team-app',
  },
  'SOTTO-CLI-082': {
    title: 'No Pod of the agent was found',
    explain:
      'sotto logs looks for Pods with label app.kubernetes.io/name=sotto, for those of Deployment sotto, and for the Pod that holds the inventory. None is there: the agent does not run in this namespace, or runs outside of the cluster, where its log is on its own standard output.',
    example: 'kubectl get pods -n team-app -l app.kubernetes.io/name=sotto',
  },
  'SOTTO-CLI-083': {
    title: 'There is no such error code',
    explain:
      'sotto errors lists all codes of this version. A code of another version of the agent has its page in the sotto of that version.',
    example: 'sotto errors',
  },
  'SOTTO-CLI-084': {
    title: 'The log cannot be read on',
    explain:
      'The API server gets the log from the kubelet of the node. The connection broke in the middle, or a line was longer than a log line of sotto can be. Ask again, with --since for what is missing.',
    example: 'sotto logs -n team-app --since 5m',
  },
  'SOTTO-CLI-064': {
    title: 'It was changed after the plan was shown',
    explain:
      'Between the plan and the yes somebody changed a ConfigMap of the install, such as the settings. Nothing is overwritten that was not shown; the same command shows it as it is now.',
  },
  'SOTTO-CLI-090': {
    title: 'The path of a value is not readable',
    explain:
      'A path is names with dots between them (stringData.password), or names and numbers in brackets as sops writes them (["stringData"]["tls.crt"]). A backslash before a dot makes it part of the name.',
  },
  'SOTTO-CLI-091': {
    title: 'The file is encrypted for somebody whom .sops.yaml does not name',
    explain:
      'Nothing vouches for the recipients in a SOPS file: whoever can write to the repository can add one. Before sotto encrypts anything anew it compares them with the rule that .sops.yaml has for the file.',
  },
  'SOTTO-CLI-092': {
    title: 'There is no place for the clear text that is not on a disk',
    explain:
      'sotto edit puts the clear text into a folder that is in memory: XDG_RUNTIME_DIR or /dev/shm. Where neither is one (macOS has none) it refuses; sotto secret set changes single values without a file.',
  },
  'SOTTO-CLI-093': {
    title: 'There is no editor',
    explain:
      'sotto edit runs what SOPS_EDITOR or EDITOR names, else vim, nano or vi from PATH. Name one, or change single values with sotto secret set.',
  },
  'SOTTO-CLI-094': {
    title: 'The editor failed',
    explain: 'It did not start, or did not end with 0. The encrypted file is as it was, and the clear text is gone.',
  },
  'SOTTO-CLI-095': {
    title: 'The file was changed meanwhile',
    explain: 'Between reading and writing somebody else wrote the file. It is left as that other one made it.',
  },
  'SOTTO-CLI-096': {
    title: 'No value was typed',
    explain:
      'The prompt was interrupted before the value was complete. Nothing was changed: run the command again, or give the value on stdin.',
  },
  'SOTTO-CLI-097': {
    title: 'The value cannot be set without a key that opens the file',
    explain:
      'All values of a SOPS file are encrypted with one data key, and its MAC covers all of them. So whoever adds a value needs a key that opens the file, unlike with SealedSecrets, where the public certificate is enough.',
  },
  'SOTTO-CLI-110': {
    title: 'There is nothing to take over from the SealedSecrets controller',
    explain:
      'sotto adopt --from sealed-secrets looks for SealedSecrets in the namespace that the agent applies to, and none was found, or none of that name. A Secret that exists without one is taken over with sotto adopt.',
    example: 'sotto adopt --from sealed-secrets db -n team-app',
  },
  'SOTTO-CLI-112': {
    title: 'A Secret was not taken over from the SealedSecrets controller',
    explain:
      'The Secret was replaced meanwhile, its owner came back, or the resource is held by a finalizer. The Secret itself is there in every case; the same command goes on where it stopped.',
  },
  'SOTTO-CLI-114': {
    title: 'The conversion cannot be proved',
    explain:
      'sotto convert writes nothing that it has not opened again and compared byte by byte. To SOPS that takes an age identity of one of the recipients (--key-file, SOPS_AGE_KEY_FILE); add your own recipient, or let somebody who holds one convert.',
  },
  'SOTTO-CLI-115': {
    title: 'The conversion gave other values',
    explain:
      'What was encrypted again did not open to the same Secrets. Nothing was written. This is a defect of sotto: please report it, without values.',
  },
  'SOTTO-CLI-120': {
    title: 'The revision cannot be read',
    explain:
      'sotto diff --rev reads a commit of the clone it runs in: it must be there, with its files. A shallow or partial clone does not have every commit and file; nothing is fetched for it.',
    example: 'git fetch origin main',
  },
  'SOTTO-CLI-190': {
    title: 'The folder is not in a checkout',
    explain:
      'Commands that make a branch work in a clone of the repository, from any folder of its working tree. A bare repository has none, and git leaves alone what belongs to another user.',
  },
  'SOTTO-CLI-191': {
    title: 'The checkout has changes that are in no commit',
    explain:
      'A change is kept on top of the commit that is checked out, and the branch holds nothing else. With other changes in the working tree or the index nobody could tell what the branch is about, so nothing is written. Files that git does not know do not matter.',
    example: 'git stash',
  },
  'SOTTO-CLI-192': {
    title: 'The checkout has no commit to build on',
    explain:
      'A branch begins at a commit. The repository must have one, be one of SHA-1 ids, and a branch must be checked out: what is made while HEAD is detached belongs to no line of work.',
    example: 'git switch main',
  },
  'SOTTO-CLI-193': {
    title: 'The branch cannot be made',
    explain:
      'There is one of this name already, one above or below it (git keeps a and a/b not at the same time), or git does not allow the name. An existing branch is never moved; name another with --branch.',
  },
  'SOTTO-CLI-194': {
    title: 'Git does not know who makes the commit',
    explain:
      'A commit is made in the name of the person who runs the command, as git commit would: with user.name and user.email of their configuration, or what GIT_AUTHOR_NAME and its like say.',
    example: "git config --global user.name 'Your Name'",
  },
  'SOTTO-CLI-195': {
    title: 'The commit cannot be signed',
    explain:
      'commit.gpgSign is set, so the commit is signed as git commit would sign it, with OpenPGP, SSH or X.509 by gpg.format. The program or the key did not do it, and an unsigned commit is not made instead.',
  },
  'SOTTO-CLI-196': {
    title: 'Git failed in the checkout',
    explain:
      'A command of git that must not fail did. No branch was made or moved. The first line of what git said is in the message.',
  },
  'SOTTO-CLI-197': {
    title: 'The file is not the one that the agent has applied',
    explain:
      'What was changed by hand was changed on top of what the agent had applied. If the file says something else at HEAD, or the clone has not the commit that was applied, the change could undo what others did since. Bring both to the same commit: git pull, git fetch, or sotto sync.',
  },
  'SOTTO-CLI-198': {
    title: 'There is no such change to keep',
    explain:
      'sotto keep without a number lists what can be kept: changes that were undone since the agent started (the newest of them), and objects that are paused now. Of a Secret nothing is remembered: pause it, edit it, then keep it.',
    example: 'sotto keep',
  },
  'SOTTO-CLI-199': {
    title: 'The change cannot be put into the file',
    explain:
      'A manifest is changed by splices, so that comments, order and quotes stay, and is read again before it is used. What does not come out exactly as wanted is not used: values that several places share (anchors, aliases, merge keys), and forms of YAML that are seldom written.',
  },
  'SOTTO-CLI-200': {
    title: 'The agent cannot be asked what it has undone',
    explain:
      'What was undone is in the memory of the agent only, and told at /status.json to whoever asks from inside of its Pod. sotto keep gets there by kubectl port-forward (port 8081), or at the address that --page names. It takes page.listen in the settings, and the right to create pods/portforward. Objects that are paused can be kept without it, by their name.',
    example: 'kubectl -n team-app port-forward deploy/sotto 8081:8081',
  },
  'SOTTO-CLI-201': {
    title: 'The change cannot be mapped back to a file',
    explain:
      'What a kustomize patch, a generator, a variable of postBuild or several manifests make of an object has no one line that it could be put into. What was changed is printed as a strategic merge patch, to be put in by hand.',
  },
  'SOTTO-CLI-202': {
    title: 'The Secret cannot be kept',
    explain:
      'Values of a Secret go into Git encrypted only: into the SOPS file that it comes from, with a key that opens it, or into its SealedSecret, with the certificate. They are read from the live object while it is paused, so what was undone is gone. Nothing is printed, and nothing is written where a value would stand in clear.',
  },
  'SOTTO-CLI-210': {
    title: 'A file that was encrypted anew could not be proved',
    explain:
      'What was made of the file is opened again before it is written, and compared byte by byte with what the old one holds. It was not the same, so nothing was written. If the file opens as it stands, this is a defect of sotto.',
  },
  'SOTTO-CLI-211': {
    title: 'The .sops.yaml cannot be changed by a splice',
    explain:
      'sotto changes the recipients in .sops.yaml and no other character: comments, order and quotes stay. Where one text counts at several places (aliases, merge) or stands in a form without a place of its own, that cannot be done. Make the change in an editor; the same command then brings the files in line.',
  },
  'SOTTO-CLI-212': {
    title: 'There is no .sops.yaml',
    explain:
      'The recipients commands work by the rules of the .sops.yaml that sops would use: SOPS_CONFIG, else the nearest one upwards from the working directory.',
    example: 'creation_rules:\n- path_regex: ^deploy/\n  age: age1…',
  },
  'SOTTO-CLI-213': {
    title: 'There is nobody to remove',
    explain:
      'Neither a rule of .sops.yaml nor a file that it covers names the recipient. It has to be given as it stands there; sotto recipients list shows all of them.',
    example: 'sotto recipients list',
  },
  'SOTTO-CLI-214': {
    title: 'Nothing says to which rule a recipient belongs',
    explain:
      'Where .sops.yaml has several rules, or a rule has several key groups, it must be said which one is meant: --rule and --group with their numbers, or --all-rules.',
    example: 'sotto recipients add age1… --rule 1 --group 2',
  },
  'SOTTO-CLI-215': {
    title: 'The last recipient is not removed',
    explain:
      'A rule or key group without recipients would leave files that nobody opens. Add the new recipient first, then remove the old one.',
  },
  'SOTTO-CLI-216': {
    title: 'A file is encrypted for somebody whom .sops.yaml does not name',
    explain:
      'The recipients in a SOPS file are not authenticated: whoever can write the file could add one and wait for it to be encrypted again. So nothing is encrypted for a recipient that the rule does not name, and nothing is changed until that is settled.',
    example: 'sotto recipients check',
  },
  'SOTTO-CLI-217': {
    title: 'A file differs from .sops.yaml in its recipients',
    explain:
      'sotto recipients check compares the recipients that each SOPS file names with those of its rule, groups and threshold included. No key is needed for that, so it can run in a pipeline.',
    example: 'sotto recipients check',
  },
  'SOTTO-CLI-218': {
    title: 'The keys of a file cannot be changed here',
    explain:
      'For a new data key every recipient has to be at hand in public: age and SSH recipients are, for OpenPGP keys --pgp-key names a file, and other kinds of keys (KMS, Vault, …) are not in this version for that. A recipient can be added beside them, because then the data key stays.',
  },
  'SOTTO-CLI-250': {
    title: 'A new file cannot be made there',
    explain:
      'sotto edit, sotto secret set and sotto secret generate make a file that does not exist yet, but not the folder it is in: a mistyped path should not leave folders behind. This is checked before an editor is opened or a value asked for.',
  },
  'SOTTO-CLI-251': {
    title: 'Recipients were given for a file that exists',
    explain:
      'An encrypted file names those it is encrypted for, and a change of its values does not change them. --age, --pgp and --pgp-key are for a file that is made anew; sotto recipients adds and removes recipients.',
  },
  'SOTTO-CLI-252': {
    title: 'A command that should print a key failed',
    explain:
      'SOPS_AGE_KEY_CMD and SOPS_AGE_SSH_PRIVATE_KEY_CMD name commands that print age identities or an SSH key. They are run without a shell, once for each recipient of a file, and only when no other identity opens it. One that fails is passed over and told of when nothing else opens the file.',
  },
  'SOTTO-CLI-219': {
    title: 'A value has no history here',
    explain:
      'sotto secret blame goes back from HEAD through the commits that changed the file. There is none: the file is not committed, it is another branch, or the clone is a shallow one.',
    example: 'git log -- FILE',
  },
} as const satisfies Record<string, CodeEntry>;
