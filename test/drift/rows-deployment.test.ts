import { A, at, B, C_PATH, container, D_BASE, D_OURS, deployment, FIELDS } from './objects.ts';
import type { Case } from './rows.ts';
import { edit, appsEdit, dWithout, C, ENV, item, evil, SCALE, POD_NOTES, describeRow } from './rows.ts';

const deployments: Case[] = [
  {
    row: '11: kubectl set image',
    base: D_BASE,
    event: deployment([dWithout(...C_PATH, 'f:image'), appsEdit('kubectl-set', at([...C_PATH, 'f:image']))], {
      image: 'nginx:2',
    }),
    kind: 'drifted',
    paths: [`${C}/image`],
    by: 'kubectl-set Update',
    steps: ['apply'],
  },
  {
    row: '12: kubectl scale 5 is drift',
    base: D_BASE,
    event: deployment([dWithout('f:spec', 'f:replicas'), edit('kubectl', at(['f:spec', 'f:replicas']), SCALE)], {
      replicas: 5,
    }),
    kind: 'drifted',
    paths: ['/spec/replicas'],
    by: 'kubectl Update',
    steps: ['apply'],
  },
  {
    row: '13: an HPA scales to 5',
    base: D_BASE,
    event: deployment(
      [dWithout('f:spec', 'f:replicas'), edit('kube-controller-manager', at(['f:spec', 'f:replicas']), SCALE)],
      { replicas: 5 },
    ),
    kind: 'yield',
    paths: ['/spec/replicas'],
  },
  {
    row: '16: scaled to 0 through the subresource leaves no owner: asked once',
    base: D_BASE,
    event: deployment([dWithout('f:spec', 'f:replicas')], { replicas: 0 }),
    kind: 'ask-autoscaler',
  },
  {
    row: '16: scaled to 0 where a ScaledObject targets it',
    base: D_BASE,
    event: deployment([dWithout('f:spec', 'f:replicas')], { replicas: 0 }),
    kind: 'yield',
    paths: ['/spec/replicas'],
    change: { autoscaled: true },
  },
  {
    row: '106: scaled to 0 without an autoscaler',
    base: D_BASE,
    event: deployment([dWithout('f:spec', 'f:replicas')], { replicas: 0 }),
    kind: 'drifted',
    paths: ['/spec/replicas'],
    steps: ['apply'],
    change: { autoscaled: false },
  },
  {
    row: '18: kubectl rollout restart goes through',
    base: D_BASE,
    event: deployment(
      [D_OURS, appsEdit('kubectl-rollout', at(POD_NOTES, { '.': {}, 'f:kubectl.kubernetes.io/restartedAt': {} }))],
      { podAnnotations: { 'kubectl.kubernetes.io/restartedAt': 'now' } },
    ),
    kind: 'in-sync',
  },
  {
    row: 'the stamp of sotto.dev/restart-on-change is ours, under a field manager of its own',
    base: D_BASE,
    event: deployment(
      [D_OURS, appsEdit('sotto-restart', at(POD_NOTES, { 'f:sotto.dev/secrets-digest': {} }), { operation: 'Apply' })],
      { podAnnotations: { 'sotto.dev/secrets-digest': 'v1' } },
    ),
    kind: 'in-sync',
  },
  {
    row: 'the stamp changed by hand stays: to undo it would replace the Pods once more',
    base: D_BASE,
    event: deployment([D_OURS, appsEdit('kubectl-edit', at(POD_NOTES, { 'f:sotto.dev/secrets-digest': {} }))], {
      podAnnotations: { 'sotto.dev/secrets-digest': 'x' },
    }),
    kind: 'in-sync',
  },
  {
    row: '21: kubectl set env adds EVIL',
    base: D_BASE,
    event: deployment([D_OURS, appsEdit('kubectl-set', at(ENV, item('EVIL')))], { env: [evil, A, B] }),
    kind: 'drifted',
    paths: [`${C}/env[name=EVIL]`],
    steps: ['fold', 'apply'],
  },
  {
    row: '21 f: EVIL stays under fields',
    base: D_BASE,
    event: deployment([D_OURS, appsEdit('kubectl-set', at(ENV, item('EVIL')))], { env: [evil, A, B] }),
    kind: 'in-sync',
    change: { policy: FIELDS },
  },
  {
    row: '22: a sidecar injector adds a container',
    base: D_BASE,
    event: deployment(
      [D_OURS, appsEdit('injector', at(C_PATH.slice(0, -1), { 'k:{"name":"proxy"}': { '.': {}, 'f:name': {} } }))],
      { containers: [container({}, 'proxy'), container()] },
    ),
    kind: 'in-sync',
  },
  {
    row: '23: edit swaps env A and B',
    base: D_BASE,
    event: deployment([D_OURS], { env: [B, A] }),
    kind: 'drifted',
    paths: [`${C}/env`],
    steps: ['apply'],
  },
  {
    row: '26: edit renames container c to b',
    base: D_BASE,
    event: deployment(
      [
        dWithout(...C_PATH),
        appsEdit(
          'kubectl-edit',
          at(C_PATH.slice(0, -1), { 'k:{"name":"b"}': { '.': {}, 'f:name': {}, 'f:image': {} } }),
        ),
      ],
      { containers: [container({}, 'b')] },
    ),
    kind: 'drifted',
    steps: ['fold', 'apply'],
  },
  {
    row: '28: the Deployment controller annotates where annotations is {}',
    base: D_BASE,
    event: deployment(
      [
        dWithout('f:metadata', 'f:annotations'),
        appsEdit('kube-controller-manager', at(['f:metadata', 'f:annotations'], { '.': {}, 'f:revision': {} }), {
          subresource: 'status',
        }),
      ],
      { annotations: { revision: '1' } },
    ),
    kind: 'yield',
    paths: [],
  },
  {
    row: '107: edit sets args [x] where args is []',
    base: D_BASE,
    event: deployment([dWithout(...C_PATH, 'f:args'), appsEdit('kubectl-edit', at([...C_PATH, 'f:args']))], {
      args: ['x'],
    }),
    kind: 'drifted',
    paths: [`${C}/args`],
    steps: ['apply'],
  },
  {
    row: '1.3: an operator fills emptyDir {}',
    base: D_BASE,
    event: deployment(
      [
        D_OURS,
        appsEdit(
          'operator',
          at(['f:spec', 'f:template', 'f:spec', 'f:volumes', 'k:{"name":"t"}', 'f:emptyDir', 'f:medium']),
        ),
      ],
      { emptyDir: { medium: 'Memory' } },
    ),
    kind: 'in-sync',
  },
  {
    row: '1.3: kubectl edit adds env EVIL, swaps A and B and fills emptyDir',
    base: D_BASE,
    event: deployment(
      [
        D_OURS,
        appsEdit('kubectl-edit', {
          'f:spec': {
            'f:template': {
              'f:spec': {
                'f:containers': { 'k:{"name":"c"}': { 'f:env': item('EVIL') } },
                'f:volumes': { 'k:{"name":"t"}': { 'f:emptyDir': { 'f:medium': {} } } },
              },
            },
          },
        }),
      ],
      { env: [evil, B, A], emptyDir: { medium: 'Memory' } },
    ),
    kind: 'drifted',
    paths: ['/spec/template/spec/volumes[name=t]/emptyDir/medium', `${C}/env`],
    steps: ['fold', 'apply'],
  },
  {
    row: '8 of the lab: a duplicate env A of another value degrades the item to a leaf',
    base: D_BASE,
    event: deployment([dWithout(...ENV, 'k:{"name":"A"}'), appsEdit('kubectl-edit', at([...ENV, 'k:{"name":"A"}']))], {
      env: [A, B, { name: 'A', value: '9' }],
    }),
    kind: 'drifted',
    steps: ['apply'],
  },
  {
    row: '29: a status update',
    base: D_BASE,
    event: deployment([
      D_OURS,
      appsEdit('kube-controller-manager', at(['f:status', 'f:replicas']), { subresource: 'status' }),
    ]),
    kind: 'in-sync',
  },
  {
    row: '31: kubectl apply (client side) of another image',
    base: D_BASE,
    event: deployment(
      [
        dWithout(...C_PATH, 'f:image'),
        appsEdit('kubectl-client-side-apply', {
          'f:metadata': {
            'f:annotations': { '.': {}, 'f:kubectl.kubernetes.io/last-applied-configuration': {} },
          },
          ...at([...C_PATH, 'f:image']),
        }),
      ],
      { image: 'nginx:2', annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' } },
    ),
    kind: 'drifted',
    paths: [`${C}/image`, '/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration'],
    steps: ['fold', 'apply'],
  },
  {
    row: '31 f: the image alone comes back under fields',
    base: D_BASE,
    event: deployment(
      [dWithout(...C_PATH, 'f:image'), appsEdit('kubectl-client-side-apply', at([...C_PATH, 'f:image']))],
      {
        image: 'nginx:2',
      },
    ),
    kind: 'drifted',
    steps: ['apply'],
    change: { policy: FIELDS },
  },
];

for (const given of deployments) describeRow(given);
