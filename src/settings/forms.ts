import {
  array,
  boolean,
  check,
  custom,
  integer,
  maxValue,
  minValue,
  nullish,
  number,
  object,
  picklist,
  pipe,
  record,
  string,
  transform,
} from 'valibot';
import type { GenericSchema, ObjectEntries } from 'valibot';
import { isJsonObject } from '../core/json.ts';
import { isReceiptKeyName } from '../core/receipt-key.ts';
import { isAwsKeyArn, isAwsRoleArn } from '../services/aws-place.ts';
import { azureCloudOf } from '../services/azure-place.ts';
import { isGcpResourceId } from '../services/gcp-place.ts';
import { originOf } from '../services/rules.ts';
import { isX25519Recipient } from '../sops/recipients.ts';
import { parseDurationMs } from './duration.ts';
import { readListenAddress } from './listen-address.ts';

/**
 * The forms of single fields. Every message is the end of the sentence "it must be …"; none repeats the value, which
 * may be a credential in the wrong place.
 */

// Node's timers overflow above 2^31-1 ms and would fire at once.
const MAX_TIMER_MS = 24 * 86_400_000;
const MIN_TIMER_MS = 100;
const TIMER = 'a duration from 100ms to 24d, such as 30s, 10m or 1h30m';
const FINGERPRINT = 'the SHA-256 fingerprint of a certificate (64 hex digits), or "" for none';
const RECEIPT_KEY = 'a key that signs receipts (ed25519: and 44 characters of base64), or "" for none';
const RECIPIENT = 'an age recipient of the kind X25519 (age1 and 58 more characters)';
const SERVICE_ADDRESS = 'an https URL of a host, with a port or without, and nothing behind it';
const AWS_KEY = 'the ARN of a key: arn:aws:kms:REGION:ACCOUNT:key/ID, or :alias/NAME';
const AWS_ROLE = 'the ARN of a role: arn:aws:iam::ACCOUNT:role/NAME, or "" for none';
const GCP_KEY = 'the name of a key: projects/P/locations/L/keyRings/R/cryptoKeys/K';
const AZURE_VAULT = 'the URL of a vault of Azure, such as https://team.vault.azure.net';
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u0020\u007f]/;

/** A mapping with exactly these fields; unknown ones are found by `unknownFields`, which sees all of them at once. */
export function section<const Entries extends ObjectEntries>(entries: Entries) {
  return pipe(
    custom<Record<string, unknown>>((value) => isJsonObject(value), 'a mapping'),
    object(entries),
  );
}

/** A mapping that may be left out: its own defaults then apply. */
export function sectionOrDefaults<const Entries extends ObjectEntries>(entries: Entries) {
  return nullish(section(entries), {});
}

/** A mapping of names to texts that may be left out, which means empty. */
export function textMap(name: RegExp, form: string) {
  return nullish(
    pipe(
      custom<Record<string, unknown>>((value) => isJsonObject(value), form),
      record(
        pipe(
          string(form),
          check((key) => name.test(key), form),
        ),
        string('a text, in quotes where YAML would read a number or a boolean'),
        form,
      ),
    ),
    {},
  );
}

/** A list that may be left out, which means empty. */
export function listOf<const Item extends GenericSchema>(item: Item, form: string) {
  return nullish(array(item, `a list of ${form}`), []);
}

export function oneOf<const Word extends string>(...words: readonly Word[]) {
  return picklist(words, `one of ${words.join(', ')}`);
}

/** As in RFC 6901, an item of a list by its keys instead of its number. */
export const jsonPointer = pipe(
  string('a JSON pointer such as /spec/replicas'),
  check((value) => /^\/[^\s]/.test(value), 'a JSON pointer such as /spec/replicas, beginning with /'),
);

export function flag(byDefault: boolean) {
  return nullish(boolean('true or false'), byDefault);
}

export const dnsLabel = matching('a DNS label: lower-case letters, digits and dashes, at most 63', DNS_LABEL);
export const objectName = matching('the name of an object in the namespace', DNS_SUBDOMAIN);
/** "" for none. */
export const nameOrNone = pipe(
  string('the name of an object in the namespace, or "" for none'),
  check((value) => value === '' || DNS_SUBDOMAIN.test(value), 'the name of an object in the namespace, or "" for none'),
);
export const secretRef = section({ name: objectName });
export const nonEmptyText = matching('a text that is not empty', /\S/);

/** A duration for a timer, in milliseconds. */
export const timerMs = pipe(
  string(TIMER),
  transform((value) => parseDurationMs(value) ?? Number.NaN),
  check((ms) => ms >= MIN_TIMER_MS && ms <= MAX_TIMER_MS, TIMER),
);
/** An age as it is written, "" for never. */
export const ageOrNever = pipe(
  string('a duration such as 30d, or "" for never'),
  check((value) => value === '' || (parseDurationMs(value) ?? 0) > 0, 'a duration such as 30d, or "" for never'),
);

export const wholeNumber = pipe(
  number('a whole number'),
  integer('a whole number'),
  minValue(0, 'a whole number, not negative'),
  maxValue(1_000_000, 'a whole number up to 1000000'),
);

export const percent = pipe(
  string('a share such as 50%'),
  transform((value) => (/^\d{1,3}(\.\d{1,6})?%$/.test(value) ? Number(value.slice(0, -1)) : Number.NaN)),
  check((share) => share >= 0 && share <= 100, 'a share from 0% to 100%, such as 50%'),
);

/** As openssl and `sotto status` print it, with or without colons; in the settings lower case without. */
export const certificateFingerprint = pipe(
  string(FINGERPRINT),
  transform((value) => value.replaceAll(':', '').toLowerCase()),
  check((value) => value === '' || /^[0-9a-f]{64}$/.test(value), FINGERPRINT),
);

export const receiptKey = pipe(
  string(RECEIPT_KEY),
  check((value) => value === '' || isReceiptKeyName(value), RECEIPT_KEY),
);

/** As an exact place: what is allowed is not a pattern. */
export const serviceAddress = pipe(
  string(SERVICE_ADDRESS),
  check((value) => value.startsWith('https:') && originOf(value) !== undefined, SERVICE_ADDRESS),
);

export const awsKeyArn = pipe(string(AWS_KEY), check(isAwsKeyArn, AWS_KEY));

export const gcpResourceId = pipe(string(GCP_KEY), check(isGcpResourceId, GCP_KEY));

export const azureVaultUrl = pipe(
  string(AZURE_VAULT),
  check((value) => value.startsWith('https:') && azureCloudOf(value) !== undefined, AZURE_VAULT),
);

/** Empty: none is taken on. */
export const awsRoleArn = pipe(
  string(AWS_ROLE),
  check((value) => value === '' || isAwsRoleArn(value), AWS_ROLE),
);

export const ageRecipient = pipe(
  string(RECIPIENT),
  transform((value) => value.trim()),
  check(isX25519Recipient, RECIPIENT),
);

/** HOST:PORT, :PORT or "" for off. */
export const listenAddress = pipe(
  string('HOST:PORT'),
  check((value) => value === '' || readListenAddress(value) !== undefined, 'HOST:PORT, :PORT, or "" for off'),
);

/** Path inside the repository without leading `./` or trailing `/`; the root is the empty string. */
export const repositoryPath = pipe(
  string('a path inside the repository'),
  check(isInsideRepository, 'a path inside the repository, such as ./deploy/prod, without ..'),
  transform((value) => segmentsOf(value).join('/')),
);

/** A branch or tag name by the rules of git-check-ref-format, so that it can never be read as an option. */
export const refName = pipe(
  string('the name of a branch or tag'),
  check(isRefName, 'a name that Git allows for a branch or tag'),
);

/** `Deployment` or `apps/Deployment`; without a group, the kind of every group. */
export const kindName = pipe(
  string('a kind such as Job or batch/Job'),
  check((value) => KIND.test(value), 'a kind such as Job or batch/Job'),
  transform((value) => {
    const slash = value.lastIndexOf('/');
    return { group: slash === -1 ? undefined : value.slice(0, slash), kind: value.slice(slash + 1) };
  }),
);
const KIND = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Z][A-Za-z0-9]*$/;

function matching(form: string, pattern: RegExp) {
  return pipe(
    string(form),
    check((value) => pattern.test(value), form),
  );
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '' && segment !== '.');
}

function isInsideRepository(path: string): boolean {
  if (path.startsWith('/') || path.includes('\\') || /\p{Cc}/u.test(path)) return false;
  return !segmentsOf(path).some((segment) => segment === '..' || segment === '.git');
}

function isRefName(name: string): boolean {
  if (name === '' || name === '@' || name.startsWith('-') || name.startsWith('refs/') || name.length > 250)
    return false;
  if (CONTROL.test(name) || /[~^:?*[\\]|\.\.|@\{|\/\/|^\/|[/.]$/.test(name)) return false;
  return name.split('/').every((part) => !part.startsWith('.') && !part.endsWith('.lock'));
}
