import type { Clock } from '../core/clock.ts';
import { asSottoError, SottoError } from '../core/errors.ts';
import { isJsonObject, type Json, type JsonObject, member } from '../core/json.ts';
import type { GitAccess } from '../git/credential.ts';
import { checkCredentialUse, gitAccess, writeAccess } from '../keys/credentials.ts';
import { type KeySecret, type SecretMark, wipeEntries } from '../keys/key-secret.ts';
import { writeSecret } from '../keys/write-credential.ts';
import { STOCK_SEALING_LABEL, USE_LABEL } from '../keys/marks.ts';
import { type ParsedKeySecret, parseKeySecret } from '../keys/parse-keys.ts';
import { hasSealingKey, type KeyRing, keyRing, type OpeningKeys, ringFor } from '../keys/ring.ts';
import type { KeyServices } from '../services/key-services.ts';
import { ServiceMemory } from '../services/sessions.ts';
import { agentServices } from './key-services.ts';
import { makeSealingKey, secretMarkOf } from './sealing-key.ts';
import { isKeySecret, namedKeySecrets, selectKeySecrets } from '../keys/select.ts';
import { kubeError } from '../kube/errors.ts';
import { listMetadata } from '../kube/lists.ts';
import { getMetadata } from '../kube/objects.ts';
import { SECRETS } from '../kube/resource.ts';
import type { Repeat } from '../kube/retry.ts';
import { readSecret } from '../kube/secret-reader.ts';
import type { Transport } from '../kube/transport.ts';
import type { WatchEvent } from '../kube/watch.ts';
import type { Settings, SyncSettings } from '../settings/settings.ts';

export interface KeyStoreOptions {
  readonly transport: Transport;
  readonly namespace: string;
  readonly allowSources: readonly string[];
  readonly clock: Clock;
  readonly repeat: Repeat;
  settings(): Settings;
  /** Keys or marks are others: what could not be opened may open now, and what may be applied is judged again. */
  onChange(): void;
  onError(error: SottoError): void;
  /** A sealing key was made: the Secret it lies in. */
  onMade(secret: string): void;
}

interface Loaded {
  readonly resourceVersion: string;
  readonly parsed: ParsedKeySecret;
}

/** A key file changes in several writes (kubectl apply, a controller): read once when it is quiet. */
const SETTLE_MS = 100;
/** Until what could not be read or made is tried again, besides at every change of keys and settings. */
const AGAIN_MS = 60_000;

/**
 * Keys and credentials of the agent's namespace. Only Secrets that are marked or named for it are read; they are read
 * again when the metadata stream says that they changed, and at no other time.
 */
export class KeyStore {
  readonly #options: KeyStoreOptions;
  readonly #marks = new Map<string, SecretMark & { readonly resourceVersion: string }>();
  readonly #loaded = new Map<string, Loaded>();
  readonly #access = new Map<string, { readonly resourceVersion: string; readonly access: GitAccess }>();
  readonly #services = new ServiceMemory();
  #ring: KeyRing | undefined;
  #timer: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #loading: Promise<void> = Promise.resolve();
  /** Somebody has asked for a reading: what changes from then on, also while it goes on, asks for another one. */
  #hasBegun = false;
  #closed = false;

  constructor(options: KeyStoreOptions) {
    this.#options = options;
  }

  get ring(): KeyRing | undefined {
    return this.#ring;
  }

  /** What a sync opens its files with: its own keys where it names some, and the key services it allows. */
  keysOf(sync: SyncSettings): OpeningKeys & { readonly services: KeyServices } {
    const secrets = [...this.#loaded.values()].map(({ parsed }) => parsed);
    const ring = ringFor(secrets, this.#options.settings(), sync.decryption);
    const { credentials } = ring;
    return { ...ring, services: agentServices(sync.decryption.services, credentials, this.#services) };
  }

  /** Names of Secrets that say of themselves that they are keys or credentials: nothing from Git may refer to them. */
  markedSecrets(): ReadonlySet<string> {
    return new Set([...this.#marks.values()].filter(isMarked).map(({ name }) => name));
  }

  /** Every key Secret that was read, those of single syncs too. */
  secrets(): readonly ParsedKeySecret[] {
    return [...this.#loaded.values()].map(({ parsed }) => parsed);
  }

  /** A key Secret that the agent itself has just written: read at once, whatever the stream has told so far. */
  async written(mark: SecretMark & { readonly resourceVersion: string }): Promise<void> {
    this.#marks.set(mark.name, mark);
    await this.load();
    this.#options.onChange();
  }

  /**
   * Runs a task with the credential for writing to a source, which is read for it alone and overwritten afterwards.
   * Throws SottoError before anything is read when no Secret says that it is for that.
   */
  async withWriteAccess<T>(sourceUrl: string, task: (access: GitAccess) => Promise<T>): Promise<T> {
    const { transport, namespace, repeat } = this.#options;
    const { name } = await this.writer(sourceUrl);
    const secret = await readSecret(transport, namespace, name, repeat);
    if (secret === undefined) throw noCredential(name, namespace);
    try {
      // What was read counts, not what the list had told.
      return await task(writeAccess(writeSecret([secret], { sourceUrl, namespace }), { sourceUrl, namespace }));
    } finally {
      wipeEntries(secret);
    }
  }

  /** Which Secret that would be. Asked anew: somebody makes it a moment before the rotation. No value is read. */
  async writer(sourceUrl: string): Promise<SecretMark> {
    const { transport, namespace, repeat } = this.#options;
    const labelSelector = `${USE_LABEL}=git-write`;
    const listed = await repeat(() => listMetadata(transport, SECRETS, { namespace, labelSelector }));
    if (!listed.ok) throw kubeError(listed.failure, { verb: 'list', resource: SECRETS, namespace });
    return writeSecret(listed.value.items.map(secretMarkOf), { sourceUrl, namespace });
  }

  /** Events of the agent namespace's Secrets. */
  observe(event: WatchEvent): void {
    if (event.type === 'synced') return this.#dropMissing(event.present);
    if (event.type !== 'added' && event.type !== 'modified' && event.type !== 'deleted') return;
    const mark = { ...markOfObject(event.name, event.object), resourceVersion: event.resourceVersion };
    const before = this.#marks.get(event.name);
    if (before === undefined && !this.#isOfInterest(mark)) return;
    if (event.type === 'deleted') this.#marks.delete(event.name);
    else this.#marks.set(event.name, mark);
    if (event.type !== 'deleted' && before?.resourceVersion === mark.resourceVersion) return;
    this.#access.delete(event.name);
    const isNowMarked = event.type !== 'deleted' && isMarked(mark);
    const isOtherwise = isNowMarked !== (before !== undefined && isMarked(before));
    const concerns = isOtherwise || this.#loaded.has(event.name) || isKeySecret(mark, this.#options.settings());
    // The first list comes before the first reading, later ones may bring what was missed.
    if (concerns && this.#hasBegun) this.#schedule();
  }

  /** A namespace may hold thousands of Secrets: remembered are those that are marked for us or named by the settings. */
  #isOfInterest({ name, labels }: SecretMark): boolean {
    if (isMarked({ labels }) || this.#loaded.has(name)) return true;
    const settings = this.#options.settings();
    return (
      namedKeySecrets(settings).includes(name) || settings.syncs.some(({ source }) => source.git.secretName === name)
    );
  }

  /** Secrets that went while the stream was broken. */
  #dropMissing(present: ReadonlyMap<string, string>): void {
    for (const [name, mark] of [...this.#marks].filter(([known]) => !present.has(known))) {
      this.#marks.delete(name);
      this.#access.delete(name);
      if (this.#loaded.has(name) || (isMarked(mark) && this.#hasBegun)) this.#schedule();
    }
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.load().then(
        () => this.#options.onChange(),
        (thrown: unknown) => this.#options.onError(asSottoError(thrown)),
      );
    }, SETTLE_MS);
  }

  #scheduleAgain(): void {
    if (this.#closed) return;
    this.#again ??= setTimeout(() => {
      this.#again = undefined;
      this.#schedule();
    }, AGAIN_MS).unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
  }

  /** Reads what is new or changed and makes the ring. One at a time. */
  load(): Promise<void> {
    this.#hasBegun = true;
    const next = this.#loading.then(() => this.#load());
    // No event comes for it once more.
    this.#loading = next.catch(() => this.#scheduleAgain());
    return next;
  }

  async #load(): Promise<void> {
    await this.#read();
    const problem = await this.#makeSealingKey();
    const secrets = [...this.#loaded.values()].map(({ parsed }) => parsed);
    const ring = keyRing(secrets, this.#options.settings(), this.#options.clock.now());
    this.#ring = problem === undefined ? ring : { ...ring, problems: [...ring.problems, problem] };
  }

  /** With `sealing.enabled` and no key that may seal. What goes wrong is a problem of sealing, not of opening. */
  async #makeSealingKey(): Promise<SottoError | undefined> {
    const settings = this.#options.settings();
    const secrets = [...this.#loaded.values()].map(({ parsed }) => parsed);
    if (!settings.sealing.enabled || hasSealingKey(secrets, settings)) return undefined;
    try {
      const mark = await makeSealingKey(this.#options, settings.sealing.recovery, this.#options.clock.now());
      this.#marks.set(mark.name, mark);
      await this.#read();
      this.#options.onMade(mark.name);
      return undefined;
    } catch (thrown) {
      this.#scheduleAgain();
      return asSottoError(thrown);
    }
  }

  async #read(): Promise<void> {
    const { transport, namespace, repeat } = this.#options;
    const settings = this.#options.settings();
    const wanted = new Set([...selectKeySecrets([...this.#marks.values()], settings), ...namedKeySecrets(settings)]);
    for (const name of this.#loaded.keys()) if (!wanted.has(name)) this.#loaded.delete(name);
    for (const name of wanted) {
      const version = this.#marks.get(name)?.resourceVersion;
      if (version !== undefined && this.#loaded.get(name)?.resourceVersion === version) continue;
      const secret: KeySecret | undefined = await readSecret(transport, namespace, name, repeat);
      if (secret === undefined) {
        this.#loaded.delete(name);
        continue;
      }
      try {
        this.#loaded.set(name, { resourceVersion: secret.resourceVersion, parsed: parseKeySecret(secret) });
      } finally {
        wipeEntries(secret);
      }
    }
  }

  /** How git authenticates for a sync: the Secret is read when it changed, and checked for its purpose before. */
  async access(sync: SyncSettings): Promise<GitAccess> {
    const name = sync.source.git.secretName;
    if (name === undefined) return { credential: { kind: 'none' } };
    const known = this.#access.get(name);
    const { transport, namespace, allowSources, repeat } = this.#options;
    const request = { use: 'git' as const, sourceUrl: sync.source.git.url, namespace, allowSources };
    const mark = await this.#mark(name);
    checkCredentialUse(mark, request);
    if (known?.resourceVersion === mark.resourceVersion) return known.access;
    const secret = await readSecret(transport, namespace, name, repeat);
    if (secret === undefined) throw noCredential(name, namespace);
    try {
      const access = gitAccess(secret, request);
      this.#access.set(name, { resourceVersion: secret.resourceVersion, access });
      return access;
    } catch (thrown) {
      // What git is not given may be the private key of somebody.
      wipeEntries(secret);
      throw thrown;
    }
  }

  /** From the stream; asked for only before the stream has said anything. */
  async #mark(name: string): Promise<SecretMark & { readonly resourceVersion: string }> {
    const seen = this.#marks.get(name);
    if (seen !== undefined) return seen;
    const { transport, namespace, repeat } = this.#options;
    const target = { resource: SECRETS, namespace, name };
    const answer = await repeat(() => getMetadata(transport, target));
    if (!answer.ok) throw kubeError(answer.failure, { verb: 'get', ...target });
    if (answer.value === undefined) throw noCredential(name, namespace);
    const version = member(answer.value['metadata'], 'resourceVersion');
    return { ...markOfObject(name, answer.value), resourceVersion: typeof version === 'string' ? version : '' };
  }
}

function isMarked({ labels }: Pick<SecretMark, 'labels'>): boolean {
  return USE_LABEL in labels || STOCK_SEALING_LABEL in labels;
}

function markOfObject(name: string, object: JsonObject): SecretMark {
  return {
    name,
    labels: texts(member(object['metadata'], 'labels')),
    annotations: texts(member(object['metadata'], 'annotations')),
  };
}

function texts(value: Json | undefined): Record<string, string> {
  if (!isJsonObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, text]) => (typeof text === 'string' ? [[key, text] as const] : [])),
  );
}

function noCredential(name: string, namespace: string): SottoError {
  return new SottoError({
    code: 'SOTTO-KEYS-019',
    what: 'the Secret with the credential of the source does not exist',
    why: 'source.git.secretRef names it, but it is not in the agent’s namespace',
    next: `create it: kubectl create secret generic ${name} -n ${namespace} --from-literal=username=… --from-file=password=FILE`,
    object: `Secret/${name}`,
  });
}
