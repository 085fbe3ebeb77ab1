import { readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { documentsOf } from '../../src/authoring/rotation/documents.ts';
import { RECEIPT_FILE } from '../../src/authoring/rotation/receipt.ts';
import { receiptFor } from '../../src/authoring/rotation/receipt-for.ts';
import { openingKeys } from '../../src/authoring/rotation/rows.ts';
import { Sensitive } from '../../src/core/sensitive.ts';
import { fingerprintKey } from '../../src/keys/fingerprint.ts';
import { receiptSigner, type ReceiptSigner } from '../../src/keys/receipt-key.ts';
import { parseUnsealKey } from '../../src/sealed/sealing-key.ts';
import { parseAgeIdentities } from '../../src/sops/age.ts';
import { describeReal } from '../harness/real.ts';
import { commitAll, type Rotating, rotating, SEALED_NAME, sealByStock } from '../harness/rotation.ts';

const signerOf = (byte: number) => receiptSigner(fingerprintKey(Sensitive.copyOf(Buffer.alloc(32, byte))));
const [agent, stranger] = [signerOf(7), signerOf(8)];

interface Found {
  readonly exit: number;
  readonly findings: readonly { readonly file: string; readonly code: string; readonly finding: string }[];
  readonly receipt: Readonly<Record<string, unknown>> | null;
}

describeReal('a rotation with a receipt', ['sops', 'age-keygen', 'kubeseal'], () => {
  let at: Rotating;
  let rotated: string;
  beforeEach(async () => {
    at = await rotating({ files: FILES });
    await sealByStock(at);
    commitAll(at);
    const sealing = ['--key-file', at.outside('sealing.json'), '--cert', at.outside('new.pem')];
    const keys = ['--key-file', at.outside('old.txt'), '--new-key', at.outside('new.txt'), ...sealing];
    expect(await at.run('rotate', ...keys, '--yes')).toMatchObject({ exit: 0 });
    await addReceipt(at, agent);
    rotated = at.git('rev-parse', 'HEAD').trim();
  });
  afterEach(() => at[Symbol.dispose]());

  const check = async (...more: readonly string[]): Promise<Found> => {
    const { exit, stdout } = await at.run('check', '--rotation', 'HEAD', '-o', 'json', ...more);
    return { exit, ...(JSON.parse(stdout) as Omit<Found, 'exit'>) };
  };
  const pinned = ['--receipt-key', agent.name];
  const amend = (): void => {
    at.git('add', '-A');
    at.git('commit', '-q', '--amend', '--no-edit');
  };

  it('is verified without a key: by whom, what opened each file, and that each is equal', async () => {
    const found = await check(...pinned, '--require-receipt');
    expect(found).toMatchObject({
      exit: 0,
      findings: [],
      receipt: {
        file: RECEIPT_FILE,
        signedBy: agent.name,
        pinned: agent.name,
        isVerified: true,
        madeOn: at.git('rev-parse', 'HEAD^').trim(),
        agent: { namespace: 'team-app' },
      },
    });
    const files = found.receipt?.['files'] as { path: string; openedBy?: string[] }[];
    const changed = at.git('diff', '--name-only', 'HEAD^', 'HEAD').trim().split('\n');
    expect([...files.map(({ path }) => path), RECEIPT_FILE].toSorted()).toEqual(changed.toSorted());
    expect(files.find(({ path }) => path === 'deploy/db.yaml')?.openedBy).toEqual([at.old.recipient]);
    expect(files.find(({ path }) => path === SEALED_NAME)?.openedBy).toEqual([
      expect.stringMatching(/^rsa [0-9a-f]{16}$/),
    ]);
    const text = await at.run('check', '--rotation', 'HEAD', ...pinned);
    expect(text).toMatchObject({ exit: 0, stdout: '' });
    expect(text.stderr).toMatch(/signed by ed25519:\S+, which is pinned; the agent of namespace team-app, 2/);
    expect(text.stderr).toContain('every file opened, and equal to what it was');
  });

  it('says what to put into sotto.yaml where no key is pinned, and takes no other where one is', async () => {
    const unpinned = await at.run('check', '--rotation', 'HEAD');
    expect(unpinned).toMatchObject({ exit: 0, stdout: '' });
    expect(unpinned.stderr).toContain(`signed by ${agent.name}, which this repository does not pin`);
    expect(unpinned.stderr).toContain(`rotation: { receiptKey: "${agent.name}" }`);
    expect(unpinned.stderr).toContain('sotto keys export -n team-app');
    expect(await check()).toMatchObject({ exit: 0, receipt: { pinned: null, isVerified: false } });
    expect(codes(await check('--require-receipt'))).toEqual([`${RECEIPT_FILE} SOTTO-ROTATE-042`]);
    at.write('sotto.yaml', settings(agent.name));
    expect(await check()).toMatchObject({ exit: 0, receipt: { pinned: agent.name, isVerified: true } });
    at.write('sotto.yaml', settings(stranger.name));
    const other = await check();
    expect(other).toMatchObject({ exit: 1, receipt: { isVerified: false } });
    expect(codes(other)).toEqual([`${RECEIPT_FILE} SOTTO-ROTATE-042`]);
    expect(await at.run('check', '--rotation', 'HEAD', '--receipt-key', 'mine')).toMatchObject({ exit: 2 });
  });

  it('is as before without a receipt, and a finding where one is required', async () => {
    rmSync(join(at.root, RECEIPT_FILE));
    amend();
    expect(await check()).toMatchObject({ exit: 0, findings: [], receipt: null });
    const text = await at.run('check', '--rotation', 'HEAD');
    expect(text.stderr).toContain('no receipt: that values are equal only a key can show');
    expect(codes(await check('--require-receipt'))).toEqual([`${RECEIPT_FILE} SOTTO-ROTATE-045`]);
  });

  it('is not verified once anything of the commit is another', async () => {
    const db = 'deploy/db.yaml';
    const text = at.read(RECEIPT_FILE);
    const receipt = (content: string) => () => at.write(RECEIPT_FILE, content);
    const cases: readonly (readonly [string, readonly string[], () => unknown])[] = [
      ['one letter of the receipt', [`${RECEIPT_FILE} SOTTO-ROTATE-041`], receipt(text.replace('"age1', '"age2'))],
      ['a line end more', [`${RECEIPT_FILE} SOTTO-ROTATE-040`], receipt(`${text}\n`)],
      [
        'an entry less',
        [`${RECEIPT_FILE} SOTTO-ROTATE-041`],
        receipt(text.replace(/^\{"path":"deploy\/db\.yaml".*\n/m, '')),
      ],
      ['a receipt by a stranger', [`${RECEIPT_FILE} SOTTO-ROTATE-042`], () => addReceipt(at, stranger)],
      [
        'one byte of a ciphertext',
        [`${db} SOTTO-ROTATE-043`],
        () =>
          at.write(
            db,
            at.read(db).replace(/(data:)(.)/, (_, head, letter) => `${head}${letter === 'A' ? 'B' : 'A'}`),
          ),
      ],
      [
        'a comment in a file',
        [`${db} SOTTO-ROTATE-018`, `${db} SOTTO-ROTATE-043`],
        () => at.write(db, `${at.read(db)}# more\n`),
      ],
      [
        'a file more',
        ['more.yaml SOTTO-ROTATE-018', 'more.yaml SOTTO-ROTATE-043'],
        () => at.write('more.yaml', 'more: true\n'),
      ],
      ['a file as it was before', [`${db} SOTTO-ROTATE-043`], () => at.write(db, at.git('show', `HEAD^:${db}`))],
      [
        'a receipt that is a link',
        [`${RECEIPT_FILE} SOTTO-ROTATE-040`],
        () => {
          rmSync(join(at.root, RECEIPT_FILE));
          symlinkSync('../deploy/db.yaml', join(at.root, RECEIPT_FILE));
        },
      ],
      [
        'a receipt larger than any',
        [`${RECEIPT_FILE} SOTTO-ROTATE-040`],
        () => at.write(RECEIPT_FILE, ' '.repeat(9 * 1024 * 1024)),
      ],
    ];
    for (const [what, expected, change] of cases) {
      await change();
      amend();
      const found = await check(...pinned);
      expect(codes(found), what).toEqual(expected);
      expect(found, what).toMatchObject({ exit: 1, receipt: { isVerified: false } });
      at.git('reset', '-q', '--hard', rotated);
    }
    expect(await check(...pinned)).toMatchObject({ exit: 0 });
  }, 120_000);

  it('is told from one that was rebased, and from one of another commit', async () => {
    at.git('checkout', '-q', '-b', 'moved', 'HEAD^');
    at.write('README.md', 'something else\n');
    at.git('commit', '-qam', 'meanwhile');
    at.git('cherry-pick', rotated);
    const rebased = await check(...pinned);
    expect(rebased).toMatchObject({ exit: 1, receipt: { isVerified: false } });
    expect(codes(rebased)).toEqual([`${RECEIPT_FILE} SOTTO-ROTATE-044`]);
    expect(rebased.findings[0]?.finding).toContain('rebased or cherry-picked, with every file of it as it was');

    at.git('checkout', '-q', 'main');
    const receipt = at.read(RECEIPT_FILE);
    const keys = ['--key-file', at.outside('new.txt'), '--new-key', at.outside('newer.txt')];
    expect(await at.run('rotate', ...keys, '--yes')).toMatchObject({ exit: 0 });
    // The receipt of the first rotation stays where it is, and is not one of the second.
    expect(await check(...pinned)).toMatchObject({ exit: 0, receipt: null });
    at.git('rm', '-q', RECEIPT_FILE);
    at.git('commit', '-q', '--amend', '--no-edit');
    at.git('commit', '-q', '--allow-empty', '-m', 'x');
    at.write(RECEIPT_FILE, receipt);
    at.git('add', '-A');
    at.git('commit', '-q', '-m', 'replayed');
    const replayed = await check(...pinned);
    expect(replayed.exit).toBe(1);
    expect(codes(replayed)).toContain(`${RECEIPT_FILE} SOTTO-ROTATE-044`);
    expect(codes(replayed)).toContain('deploy/db.yaml SOTTO-ROTATE-043');
    expect(replayed.findings[0]?.finding).toContain('it belongs to another commit');
  });

  it('holds in a merge of its branch, as long as nothing came between', async () => {
    at.git('checkout', '-q', '-b', 'merged', 'HEAD^');
    at.git('merge', '-q', '--no-ff', '-m', 'merge', rotated);
    expect(await check(...pinned, '--require-receipt')).toMatchObject({ exit: 0, receipt: { isVerified: true } });
  });

  it('is rotated again with the receipt beside it', async () => {
    const keys = ['--key-file', at.outside('new.txt'), '--new-key', at.outside('newer.txt')];
    expect(await at.run('rotate', ...keys, '--yes')).toMatchObject({ exit: 0 });
    const { exit, stdout } = await at.run(
      'rotate',
      '--plan',
      '-o',
      'json',
      '--key-file',
      at.outside('newer.txt'),
      '--new-key',
      at.outside('x.txt'),
    );
    expect(exit).toBe(0);
    expect(stdout).not.toContain(RECEIPT_FILE);
    await addReceipt(at, agent, 'new.txt');
    expect(await check(...pinned, '--require-receipt')).toMatchObject({ exit: 0, receipt: { isVerified: true } });
  });
});

const FILES = {
  'deploy/db.yaml':
    'apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  user: admin\n  password: hush\n',
  'deploy/app.env': 'USER=admin\nPASSWORD=hush\n',
  'charts/bitnami.com/SealedSecret.json': '{"a": "b"}\n',
};

function codes({ findings }: Found): string[] {
  return findings.map(({ file, code }) => `${file} ${code}`);
}

/** What the agent does with a rotation, done to the commit that is checked out. */
async function addReceipt(at: Rotating, signer: ReceiptSigner, oldKeys = 'old.txt'): Promise<void> {
  const parent = at.git('rev-parse', 'HEAD^').trim();
  const changed = at.git('diff', '--name-only', 'HEAD^', 'HEAD', '--', ':!.sotto').trim().split('\n');
  const named = at.git('ls-tree', '-r', '--name-only', 'HEAD^').trim().split('\n');
  const contents = new Map(named.map((path) => [path, Buffer.from(at.git('show', `HEAD^:${path}`))]));
  const before = documentsOf(contents, at.root);
  const keys = {
    identities: parseAgeIdentities(readFileSync(at.outside(oldKeys))),
    unsealKeys: [parseUnsealKey(Buffer.from(privateKeyOf(at)))],
    namespace: 'team',
  };
  const content = await receiptFor(
    {
      parent,
      at: new Date(),
      namespace: 'team-app',
      keys: { old: [at.old.recipient], made: ['age1new'] },
      before,
      files: new Map(changed.map((path) => [path, Buffer.from(at.read(path))])),
      openedBy: await openingKeys(before, new Set(changed), keys),
    },
    signer,
  );
  at.write(RECEIPT_FILE, content.toString());
  at.git('add', '-A');
  at.git('commit', '-q', '--amend', '--no-edit');
}

function privateKeyOf({ oldSealing }: Rotating): string {
  return String((oldSealing.secret['stringData'] as Record<string, string>)['tls.key']);
}

function settings(receiptKey: string): string {
  return `apiVersion: sotto.dev/v1alpha1\nkind: Config\nrotation: { receiptKey: "${receiptKey}" }\nsyncs:\n- name: app\n  source:\n    git: { url: "https://git.example.com/app.git", ref: { branch: main } }\n  path: deploy\n`;
}
