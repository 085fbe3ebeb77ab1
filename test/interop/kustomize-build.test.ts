import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringAt } from '../../src/core/json.ts';
import type { FingerprintKey } from '../../src/keys/fingerprint.ts';
import type { TokenMemory } from '../../src/render/tokens/content.ts';
import { scan } from '../../src/render/kustomize/scan.ts';
import type { Renderer } from '../../src/render/kustomize/renderer.ts';
import { makeSealingCertificate } from '../../src/sealed/make-certificate.ts';
import { type SealingCertificate, sealingCertificate } from '../../src/sealed/certificate.ts';
import { readSecretManifests } from '../../src/sealed/plain-secret.ts';
import { sealSecret } from '../../src/sealed/seal.ts';
import { parseSealingKey } from '../../src/sealed/sealing-key.ts';
import { writeSealedSecret } from '../../src/sealed/write.ts';
import { describeReal } from '../harness/real.ts';
import { FEATURES, type Feature } from '../render/kustomize/features.ts';
import { OVERLAYS } from '../render/kustomize/overlays.ts';
import { fixture } from '../render/kustomize/trees.ts';
import { CORPUS, type CorpusCase, type SealedFile } from '../render/tokens/corpus.ts';
import { buildClosed, outcomeOf, realRenderer, repositoryOf, type Wanted } from './closed-build.ts';
import { type Files, newKey, startStock, type Stock } from './stock-kustomize.ts';

/** What is told before anything is rendered, where the way from the file to the object would tell it otherwise. */
const TOLD_EARLIER: Readonly<Record<string, string>> = {
  'a manifest as binary': 'SOTTO-RENDER-033',
  'envs of a YAML': 'SOTTO-RENDER-033',
  'envs of an INI': 'SOTTO-RENDER-033',
  'a JSON6902 patch as binary': 'SOTTO-RENDER-033',
  'a JSON6902 test': 'SOTTO-RENDER-032',
  'the second part of a value': 'SOTTO-RENDER-030',
  'a part of a value cut at a letter': 'SOTTO-RENDER-030',
};

describeReal('a build with closed secrets', ['sops', 'age-keygen', 'kustomize'], () => {
  let stock: Stock;
  let key: FingerprintKey;
  let renderer: Renderer;
  let certificate: SealingCertificate;

  beforeAll(async () => {
    const now = new Date();
    const made = await makeSealingCertificate({ now });
    stock = await startStock([parseSealingKey({ key: made.keyPem.reveal(), crt: Buffer.from(made.certificatePem) })]);
    certificate = sealingCertificate(made.certificatePem, now);
    key = newKey();
    renderer = realRenderer(stock);
  });

  afterAll(() => stock[Symbol.dispose]());

  async function outcome(files: Files, root: string, wanted: Partial<Wanted> = {}) {
    const seen = await buildClosed(stock, repositoryOf(files), root, { key, renderer, ...wanted });
    return outcomeOf(stock, seen);
  }

  it.each(CORPUS)('is what stock tools make, or is refused: $expected: $name', async (each) => {
    const sealed = await stock.sealAll(each);
    const made = await outcome({ ...each.plain, ...sealed }, '');
    if (each.expected === '=') expect(made).toEqual({ ok: true, objects: await stock.truth(each, sealed) });
    else if (each.expected === 'differs') {
      const gives = Buffer.from(each.gives ?? '').toString('hex');
      expect(made).toMatchObject({ ok: true });
      if (made.ok) expect(made.objects.at(-1)).toMatchObject({ data: { c: gives } });
    } else expect(made).toEqual({ ok: false, codes: [TOLD_EARLIER[each.name] ?? each.expected] });
  });

  /** Repository and truth of a feature; SealedSecrets are sealed anew each time, as sops files are. */
  async function repositoryOfFeature(each: Feature): Promise<{ readonly files: Files; readonly clear: Feature }> {
    const sealed = await stock.sealAll(each);
    const more: Record<string, string> = {};
    for (const [path, text] of Object.entries(each.sealedSecrets ?? {})) {
      const [secret] = readSecretManifests(Buffer.from(text), path);
      if (secret === undefined) throw new Error(`${path} has no Secret`);
      more[path] = writeSealedSecret(sealSecret(secret, certificate), 'yaml');
    }
    return {
      files: { ...each.plain, ...sealed, ...more },
      clear: { ...each, plain: { ...each.plain, ...each.sealedSecrets } },
    };
  }

  async function truthOf(each: Feature) {
    return stock.truth(each, await stock.sealAll(each), each.root);
  }

  it.each(FEATURES)('is what stock tools make of the same files in clear: $name', async (each) => {
    const { files, clear } = await repositoryOfFeature(each);
    const truth = await truthOf(clear);
    expect(truth?.length).toBeGreaterThan(0);
    expect(await outcome(files, each.root)).toEqual({ ok: true, objects: truth });
  });

  /** Names and digests of what was rendered: with them a hash suffix. */
  async function names(each: Feature, wanted: Partial<Wanted> = {}): Promise<string[]> {
    const { files } = await repositoryOfFeature(each);
    return namesIn(files, each.root, wanted);
  }

  async function namesIn(files: Files, root: string, wanted: Partial<Wanted> = {}): Promise<string[]> {
    const { built } = await buildClosed(stock, repositoryOf(files), root, { key, renderer, ...wanted });
    if (!built.ok) throw built.errors[0] ?? new Error('no error');
    return built.documents.map(({ tree, digest }) => `${stringAt(tree, 'metadata', 'name') ?? ''} ${digest}`);
  }

  it.each(FEATURES)('has the same names when its files are encrypted again: $name', async (each) => {
    const first = await names(each);
    expect(await names(each)).toEqual(first);
  });

  it.each(FEATURES.filter((each) => Object.values(each.sealed).some(({ role }) => role !== 'document')))(
    'has another name for another generated value, and for nothing else: $name',
    async (each) => {
      const [path, changed] = changedFile(each);
      const { files } = await repositoryOfFeature(each);
      const [before, after] = [
        await namesIn(files, each.root),
        await namesIn({ ...files, [path]: await stock.seal(path, changed) }, each.root),
      ];
      const gone = before.filter((line) => !after.includes(line));
      expect(after.length).toBe(before.length);
      // Whatever is merged away is in no object.
      if (gone.length === 0) expect(REPLACED_AWAY).toContain(each.name);
      const stay = before.filter((line) => /^(?:.*-)?settings/.test(line));
      expect(after).toEqual(expect.arrayContaining(stay));
    },
  );

  it('is made again from memory with nothing opened, and is the same', async () => {
    const each = FEATURES.find(({ name }) => name.startsWith('a SealedSecret, with'));
    if (each === undefined) throw new Error('no such feature');
    const { files } = await repositoryOfFeature(each);
    const memories = new Map<string, TokenMemory>();
    const { built } = await buildClosed(stock, repositoryOf(files), each.root, { key, renderer });
    if (!built.ok) throw built.errors[0] ?? new Error('no error');
    for (const memory of built.memories) memories.set(memory.digest, memory);
    const opener = { open: never, openVariables: never, verifySops: never, verifyWhole: never };
    const again = await namesIn(files, each.root, { opener, recall: (digest) => memories.get(digest) });
    expect(again).toEqual(await namesIn(files, each.root));
  });

  it.each(OVERLAYS.filter(({ name }) => !WITHOUT_SECRETS.has(name)))(
    'of what people write is the same with encrypted inputs everywhere: $name',
    async (overlay) => {
      const each = withSecrets(overlay.files, overlay.root);
      expect(Object.keys(each.sealed).length).toBeGreaterThan(0);
      const sealed = await stock.sealAll(each);
      const truth = await stock.truth(each, sealed, overlay.root);
      const made = await outcome({ ...each.plain, ...sealed }, overlay.root);
      // A selector that fits one Secret fits several with those that were added.
      if (truth === undefined) expect([overlay.name, made.ok]).toEqual(['replacements in files', false]);
      else expect(made).toEqual({ ok: true, objects: truth });
    },
  );
});

/** No list of resources to add to, and a generator of literals only. */
const WITHOUT_SECRETS = new Set(['generatorOptions', 'a kustomization in JSON']);

const never = (): Promise<never> => Promise.reject(new Error('it was opened'));

/** The generated value of which nothing is left, since the overlay replaces it. */
const REPLACED_AWAY: readonly string[] = ['behavior: replace'];

function changedFile(each: Feature): [string, SealedFile] {
  const found = Object.entries(each.sealed).find(([, { role }]) => role !== 'document');
  if (found === undefined) throw new Error('no generated value');
  const [path, file] = found;
  return [path, { ...file, text: file.role === 'env-file' ? `${String(file.text)}ANOTHER=value\n` : 'another value' }];
}

/** Everything in it that may be encrypted is, and each kustomization has a Secret and a generator more. */
function withSecrets(text: string, root: string): Pick<CorpusCase, 'sealed'> & { plain: Record<string, string> } {
  const { files } = fixture(text);
  const plain: Record<string, string> = Object.fromEntries(files);
  const sealed: Record<string, SealedFile> = {};
  for (const [path, content] of files) {
    if (!/(?:^|\/)(?:kustomization\.ya?ml|Kustomization)$/.test(path) || content.startsWith('{')) continue;
    const folder = path.slice(0, path.lastIndexOf('/') + 1);
    const name = `own-${folder.replaceAll('/', '-')}x`;
    plain[path] = extended(content, name);
    if (plain[path].includes('own.yaml')) {
      sealed[`${folder}own.yaml`] = {
        role: 'document',
        text: `apiVersion: v1\nkind: Secret\nmetadata: {name: ${name}}\nstringData: {a: "x: \\"y\\"", b: ü}\n`,
      };
    }
    if (plain[path].includes('own.env')) {
      sealed[`${folder}own.env`] = { role: 'env-file', text: 'A=one two\nB=\n' };
      sealed[`${folder}own.bin`] = { role: 'generator-file', text: Uint8Array.from({ length: 99 }, (_, at) => at * 3) };
    }
  }
  const scanned = scan(repositoryOf(plain), root);
  for (const { path, role } of scanned.ok ? scanned.result.files : []) {
    const isSecret = role === 'document' && /kind: Secret\b/.test(plain[path] ?? '');
    const isGenerated =
      (role === 'generator-file' || role === 'env-file') && /secretGenerator|SecretGenerator/.test(text);
    if (isSecret || isGenerated) {
      sealed[path] ??= {
        role: isSecret ? 'document' : role === 'env-file' ? 'env-file' : 'generator-file',
        text: plain[path] ?? '',
      };
    }
  }
  return { plain, sealed };
}

function extended(content: string, name: string): string {
  const isList = /^resources: ?\[/m.test(content);
  const withResource = isList ? content.replace(/^resources: ?\[/m, 'resources: [own.yaml, ') : content;
  if (/^secretGenerator:/m.test(content)) return withResource;
  return `${withResource.trimEnd()}\nsecretGenerator: [{ name: ${name}-g, files: [own.bin], envs: [own.env] }]\n`;
}
