/** What each field of sotto.yaml is for: the words of docs/settings.md. Its form and default come from the schema. */
export const SETTINGS_MEANING: Readonly<Record<string, string>> = {
  apiVersion: 'says what the fields mean',
  kind: 'the same',
  targetNamespace: 'where objects are applied; without it the agent’s own namespace',
  fingerprintSecret: 'Secret with the key of placeholders, inventory and status signature; made at the first start',
  'decryption.keys[].secretRef.name':
    'Secrets with age identities (entries `*.agekey`), OpenPGP keys (`*.asc`), sealing keys, or credentials for key services (`sops.vault-token`, `sops.aws-kms`, `sops.gcp-kms`, `sops.azure-kv`), for every sync',
  'decryption.vault[].address': 'Vault servers that may be called',
  'decryption.awsKms[].arn': 'keys of AWS KMS that may be asked',
  'decryption.awsKms[].role': 'the role that is taken on for it: exactly that which files name',
  'decryption.awsKms[].endpoint': 'where it is asked instead of the endpoint of its region',
  'decryption.awsKms[].stsEndpoint': 'where the role is taken on instead of STS of the region',
  'decryption.gcpKms[].resourceId': 'keys of Google Cloud KMS that may be asked',
  'decryption.gcpKms[].endpoint': 'where it is asked instead of cloudkms.googleapis.com',
  'decryption.azureKeyVault[].vaultUrl': 'vaults of Azure whose keys may be asked',
  'decryption.azureKeyVault[].loginEndpoint': 'where tokens come from instead of the login server of its cloud',
  'sealing.enabled': 'the agent makes a sealing key when it has none: a Secret in the form of the stock controller',
  'sealing.keys': 'Secrets whose sealing key may seal; the newest one is served at `/v1/cert.pem`',
  'sealing.certificate':
    'fingerprint of the certificate in use: `sotto seal` takes no other, and the agent tells when its own is another',
  'sealing.recovery': 'age recipients that each new key is encrypted to before it is used (ConfigMap `sotto-recovery`)',
  'sealing.renewEvery': 'how old a sealing key may become',
  'rotation.receiptKey':
    'by whom the receipts of rotations are signed: `sotto check --rotation HEAD` takes no other (docs/rotation.md)',
  'rotation.recipients':
    'who besides the key of the agent (and `sealing.recovery`) may open what a rotation by the agent encrypts: where a file is for anybody else, it changes nothing (docs/rotation.md#by-the-agent)',
  plaintextSecrets: 'Secrets in clear in Git: refused, applied and reported, or applied',
  'vetoes.allow': 'vetoes on what comes from Git that do not count: docs/threat-model.md says what each one refuses',
  'page.listen': 'address of `/status.json`; the page itself is not in this version',
  'hooks.listen': 'address of the webhook listener',
  'syncs[].name': 'unique; who finds the sync in status, inventory and metrics',
  'syncs[].source.git.url': 'the repository; without user, password, query and fragment',
  'syncs[].source.git.ref.branch': 'the branch that is followed; needed in this version',
  'syncs[].source.git.ref.tag': 'a tag instead of a branch',
  'syncs[].source.git.ref.semver': 'the newest tag of a range',
  'syncs[].source.git.ref.commit': 'one commit',
  'syncs[].source.git.ref.name': 'a full ref name',
  'syncs[].source.git.secretRef.name': 'Secret with the credential; marked for its use (docs/annotations.md)',
  'syncs[].source.git.interval': 'how often Git is asked for the head',
  'syncs[].source.git.verify.mode': 'whose signature is checked',
  'syncs[].source.git.verify.secretRef.name': 'Secret with the keys of signers',
  'syncs[].source.git.requireFastForward': 'true: a rewritten branch is refused; false: it is followed and reported',
  'syncs[].source.git.allowInsecure': 'plain http',
  'syncs[].source.oci.url': 'an OCI artifact',
  'syncs[].source.oci.ref.tag': 'its tag',
  'syncs[].source.oci.ref.semver': 'its range of tags',
  'syncs[].source.oci.ref.digest': 'its digest',
  'syncs[].source.oci.secretRef.name': 'Secret with the credential of the registry',
  'syncs[].source.oci.interval': 'how often the registry is asked',
  'syncs[].source.oci.verify.mode': 'whose signature is checked',
  'syncs[].source.oci.verify.provider': 'how it is checked',
  'syncs[].source.oci.verify.secretRef.name': 'Secret with the keys of signers',
  'syncs[].source.folder.path': 'a folder of the agent’s machine',
  'syncs[].source.ignore': 'files of the path that are not read, besides those of `.sourceignore`',
  'syncs[].path': 'folder of the repository whose manifests are applied, subfolders included',
  'syncs[].render.kustomize.secretsIn[].group': 'API group of the object; empty for the core group',
  'syncs[].render.kustomize.secretsIn[].kind':
    'objects other than Secrets that may hold values of secrets in clear: whoever may read them reads the values',
  'syncs[].render.kustomize.secretsIn[].name': 'name of the object; of a generated one without its hash',
  'syncs[].postBuild.substitute':
    'variables: what `${name}` in the manifests stands for; counts before what ConfigMaps say',
  'syncs[].postBuild.substituteFrom[].kind': 'ConfigMap: a Secret is refused, with the reason, by SOTTO-RENDER-070',
  'syncs[].postBuild.substituteFrom[].name':
    'a ConfigMap in the namespace where objects are applied, whose keys are variables; a change of it is followed, and a later one counts before an earlier one',
  'syncs[].postBuild.substituteFrom[].optional': 'whether it may be missing',
  'syncs[].postBuild.substituteStrategy': 'whether `${name:=default}` is replaced while there is no variable at all',
  'syncs[].render.helm.releaseName': 'name of the Helm release',
  'syncs[].render.helm.values': 'values of the chart',
  'syncs[].render.helm.valuesFiles': 'files with values',
  'syncs[].decryption.keys[].secretRef.name': 'as `decryption.keys`, for this sync; given at all, it replaces those',
  'syncs[].decryption.vault[].address': 'as `decryption.vault`, for this sync; given at all, it replaces those',
  'syncs[].decryption.awsKms[].arn': 'as `decryption.awsKms`, for this sync; given at all, it replaces those',
  'syncs[].decryption.awsKms[].role': 'its role',
  'syncs[].decryption.awsKms[].endpoint': 'its endpoint',
  'syncs[].decryption.awsKms[].stsEndpoint': 'its STS endpoint',
  'syncs[].decryption.gcpKms[].resourceId': 'as `decryption.gcpKms`, for this sync; given at all, it replaces those',
  'syncs[].decryption.gcpKms[].endpoint': 'its endpoint',
  'syncs[].decryption.azureKeyVault[].vaultUrl':
    'as `decryption.azureKeyVault`, for this sync; given at all, it replaces those',
  'syncs[].decryption.azureKeyVault[].loginEndpoint': 'its login server',
  'syncs[].sealedSecrets':
    'what happens with a SealedSecret: `unseal` applies its Secret, `passthrough` the resource (for the SealedSecrets controller; not with kustomize), `auto` the first where a key of the agent opens it, else the second where the API server serves the kind',
  'syncs[].serviceAccountName':
    'account in the agent’s namespace as which objects of this sync are written (impersonation); without it the agent’s own',
  'syncs[].adopt': 'what exists and was not made by sotto: taken over when the apply changes nothing, never, or always',
  'syncs[].interval': 'how often everything in memory is judged again, without a request when nothing changed',
  'syncs[].timeout':
    'how long an object may take to become ready, from the apply that began the wait, before the sync counts as degraded',
  'syncs[].wait': 'readiness of the objects counts into the state of the sync',
  'syncs[].retryInterval':
    'how soon a pass that failed is tried again; what is forbidden or refused for good waits for a commit or interval',
  'syncs[].suspend': 'true: no passes and no corrections; what runs stays as it is',
  'syncs[].prune.enabled': 'false: nothing is ever pruned; `prune: false` is short for it',
  'syncs[].prune.maxShare': 'a commit that would prune more than this share is held whole',
  'syncs[].prune.minimum': 'fewer prunes than this are never held by their share',
  'syncs[].prune.ask': 'kinds that are kept until somebody removes them, besides PersistentVolumeClaim',
  'syncs[].dependsOn':
    'syncs that come first: a commit of this one is not applied before they are Ready ([order](order.md#between-syncs))',
  'syncs[].deletionPolicy':
    'what happens with the objects of a sync that leaves the settings; syncs that depend on each other go in the reverse order',
  'syncs[].skip[].group': 'which objects of the repository are not ours to apply: their group',
  'syncs[].skip[].namespace': 'their namespace',
  'syncs[].skip[].name': 'their name',
  'syncs[].skip[].kind': 'their kind',
  'syncs[].health.strict':
    'ready is also asked of what kstatus lets pass: an address of load balancers, images of Pods, volumes of claims ([health](health.md#strict))',
  'syncs[].health.expressions[].group': 'API group of the kind; empty for the core group',
  'syncs[].health.expressions[].kind':
    'a kind whose objects are judged by expressions, a part of CEL ([health](health.md#expressions))',
  'syncs[].health.expressions[].current': 'what holds when an object is ready',
  'syncs[].health.expressions[].failed': 'what holds when it has failed; asked before `current`',
  'syncs[].health.expressions[].inProgress': 'what holds while it is not ready yet; asked first',
  'syncs[].drift.policy':
    'whose additions to our objects are undone: `fields` nobody’s; `guard` those of people, not of controllers, and in Secrets that come encrypted everybody’s; `exact` everybody’s in Secrets and ConfigMaps ([annotations](annotations.md#in-manifests))',
  'syncs[].drift.ignore[].target.group': 'fields that are left to others: group of the objects',
  'syncs[].drift.ignore[].target.namespace': 'their namespace',
  'syncs[].drift.ignore[].target.name': 'their name',
  'syncs[].drift.ignore[].target.kind': 'their kind',
  'syncs[].drift.ignore[].paths':
    'the fields; items of lists by their keys: `/spec/template/spec/containers[name=web]/image`. Who takes one keeps it, and it is not applied any more',
  'syncs[].drift.ignore[].managers': 'the field managers they are left to',
};

/** Fields that are built but for some of their values. */
export const SETTINGS_PARTLY: Readonly<Record<string, string>> = {
  'syncs[].source.git.url': 'ssh and http',
};
