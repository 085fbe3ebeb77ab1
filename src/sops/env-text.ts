import { SottoError } from '../core/errors.ts';
import { inLanes } from '../core/in-lanes.ts';
import { bytesOf, pathAad, sealEnc } from './cipher.ts';
import type { DataKey } from './data-key.ts';
import { ENV_METADATA_PREFIX, noVariable } from './dotenv.ts';
import type { KnownEntries } from './known.ts';
import { LANES, macText, ONLY_ENCRYPTED_PREFIX } from './mac.ts';
import { envSelection } from './env-selection.ts';
import { refuseSaying } from './selection.ts';
import type { Selects } from './selector.ts';

/** A dotenv file in clear, line by line, as sops reads it (spec/sops.md, section 10). */
export type EnvLine =
  | { readonly kind: 'blank' }
  | { readonly kind: 'comment'; readonly text: string }
  | { readonly kind: 'variable'; readonly key: string; readonly value: string };

/** Throws SottoError for what sops would refuse. */
export function parseEnvText(text: string, file: string): EnvLine[] {
  const lines = text.split('\n').map((content, index): EnvLine => {
    if (content === '') return { kind: 'blank' };
    if (content.startsWith('#')) return { kind: 'comment', text: content.slice(1) };
    const at = content.indexOf('=');
    if (at === -1) throw noVariable(file, index + 1);
    const key = content.slice(0, at);
    if (key.startsWith(ENV_METADATA_PREFIX)) throw reserved(file, index + 1, key);
    return { kind: 'variable', key, value: content.slice(at + 1) };
  });
  if (lines.at(-1)?.kind === 'blank') lines.pop();
  return lines;
}

export interface EnvSealing {
  readonly file: string;
  readonly selects: Selects;
  readonly dataKey: DataKey;
  readonly macOnlyEncrypted: boolean;
  readonly known?: KnownEntries;
}

/** The lines with ciphertext where the selector wants it. */
export async function sealEnvLines(lines: readonly EnvLine[], sealing: EnvSealing): Promise<string> {
  const { file, selects, dataKey, known } = sealing;
  const seal = async (text: string, kind: 'comment' | 'value str', path: readonly string[]): Promise<string> => {
    const bytes = bytesOf(text);
    const type = kind === 'comment' ? 'comment' : 'str';
    const token = known?.take([known.keyOf(kind, path, bytes)]);
    const sealed = token ?? (await sealEnc(bytes, type, pathAad(path), dataKey.key));
    bytes.fill(0);
    return sealed;
  };
  const out = await inLanes(selectedLines(lines, selects), LANES, async ({ line, selected }): Promise<string> => {
    if (line.kind === 'blank') return '\n';
    if (line.kind === 'comment') {
      const isSealed = line.text !== '' && selected;
      const text = isSealed ? await seal(line.text, 'comment', []) : line.text;
      if (isSealed) refuseSaying(selects, text, file);
      return `#${text}\n`;
    }
    const isSealed = line.value !== '' && selected;
    return `${line.key}=${isSealed ? await seal(valueOf(line.value), 'value str', [line.key]) : line.value}\n`;
  });
  return out.join('');
}

interface SelectedLine {
  readonly line: EnvLine;
  readonly selected: boolean;
}

function selectedLines(lines: readonly EnvLine[], selects: Selects): SelectedLine[] {
  const named = lines.flatMap((line) => {
    if (line.kind === 'blank') return [];
    return line.kind === 'variable' ? { key: line.key, text: '' } : { key: undefined, text: line.text };
  });
  const selection = envSelection(named, selects)[Symbol.iterator]();
  return lines.map((line) => ({ line, selected: line.kind !== 'blank' && selection.next().value === true }));
}

/** A line break is written as `\n` in the file. */
export function valueOf(written: string): string {
  return written.replaceAll('\\n', '\n');
}

export function envMac(lines: readonly EnvLine[], { selects, macOnlyEncrypted }: EnvSealing): Uint8Array<ArrayBuffer> {
  const parts = selectedLines(lines, selects).flatMap(({ line, selected }) =>
    line.kind === 'variable' && (!macOnlyEncrypted || selected) ? [bytesOf(valueOf(line.value))] : [],
  );
  const plaintext = Buffer.concat([macOnlyEncrypted ? ONLY_ENCRYPTED_PREFIX : Buffer.alloc(0), ...parts]);
  const mac = macText(plaintext);
  for (const bytes of [plaintext, ...parts]) bytes.fill(0);
  return mac;
}

function reserved(file: string, line: number, key: string): SottoError {
  return new SottoError({
    code: 'SOTTO-SOPS-016',
    what: 'the file is already encrypted',
    why: 'names that start with sops_ belong to the sops block of a dotenv file',
    next: 'decrypt it first (sotto decrypt -i), or rename the variable',
    file,
    line,
    key,
  });
}
