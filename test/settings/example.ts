/** The smallest settings with one sync, to be varied line by line. */
export const MINIMAL = `apiVersion: sotto.dev/v1alpha1
kind: Config
syncs:
- name: app
  source:
    git:
      url: https://git.example.com/team/app.git
      ref: { branch: main }
  path: ./deploy/prod
`;

/** Every default of the interface page written out. */
export const ALL_DEFAULTS = `apiVersion: sotto.dev/v1alpha1
kind: Config
fingerprintSecret: sotto-fingerprint
decryption: { keys: [], vault: [], awsKms: [], gcpKms: [], azureKeyVault: [] }
sealing:
  enabled: false
  keys: []
  certificate: ""
  recovery: []
  renewEvery: ""
rotation: { receiptKey: "", recipients: [] }
plaintextSecrets: refuse
vetoes: { allow: [] }
page: { listen: 127.0.0.1:8081 }
hooks: { listen: "" }
syncs:
- name: app
  source:
    git:
      url: https://git.example.com/team/app.git
      ref: { branch: main }
      interval: 1m
      requireFastForward: false
      allowInsecure: false
    ignore: []
  path: ./deploy/prod
  render:
    kustomize: {}
  decryption: {}
  sealedSecrets: auto
  serviceAccountName: ""
  adopt: equal
  interval: 10m
  timeout: 5m
  wait: true
  retryInterval: 30s
  suspend: false
  prune: { enabled: true, maxShare: 50%, minimum: 5, ask: [] }
  dependsOn: []
  deletionPolicy: orphan
  skip: []
  drift:
    policy: guard
    ignore: []
`;
