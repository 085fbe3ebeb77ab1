import { LOCAL_LIMITS } from '../yaml/limits.ts';
import type { Sensitive } from '../core/sensitive.ts';
import { openBinaryForChange } from './change-binary.ts';
import { openEnvForChange } from './change-env.ts';
import { openIniForChange } from './change-ini.ts';
import { openTreeForChange } from './change-tree.ts';
import type { ChangeableSops, Unwrap } from './changeable.ts';
import { unwrapDataKey } from './data-key.ts';
import { decryptSops } from './decrypt.ts';
import type { Identity } from './identity.ts';
import type { WholeFormat } from './scalar.ts';
import { openCheckedWhole, openEnvText, SopsWhole } from './whole.ts';
import { openWholeAs } from './whole-as.ts';

export type { ChangeableSops } from './changeable.ts';

/** Checks the MAC and opens a file of any format. Throws SottoError. */
export async function openForChange(
  text: string,
  format: WholeFormat,
  file: string,
  identities: readonly Identity[],
): Promise<ChangeableSops> {
  const unwrap: Unwrap = (keyed) => unwrapDataKey(keyed, identities);
  switch (format) {
    case 'yaml':
    case 'json':
      return openTreeForChange(text, format, file, unwrap);
    case 'dotenv':
      return openEnvForChange(text, file, unwrap);
    case 'binary':
      return openBinaryForChange(text, file, unwrap);
    case 'ini':
      return openIniForChange(text, file, unwrap);
    default:
      return format satisfies never;
  }
}

/** A file of any format in clear; the MAC is checked first. The caller wipes the result. Throws SottoError. */
export async function decryptFile(
  text: string,
  format: WholeFormat,
  file: string,
  identities: readonly Identity[],
): Promise<Sensitive> {
  if (format === 'yaml' || format === 'json') return decryptSops(text, format, file, identities);
  const whole = new SopsWhole(text, format, file);
  using dataKey = await unwrapDataKey(whole, identities);
  return await (format === 'dotenv' ? openEnvText(whole, dataKey) : openCheckedWhole(whole, dataKey));
}

/** The same written as another format. */
export async function decryptFileAs(
  { text, format, file }: { readonly text: string; readonly format: WholeFormat; readonly file: string },
  to: WholeFormat,
  identities: readonly Identity[],
): Promise<Sensitive> {
  if (to === format) return decryptFile(text, format, file, identities);
  const whole = new SopsWhole(text, format, file, LOCAL_LIMITS);
  using dataKey = await unwrapDataKey(whole, identities);
  return await openWholeAs(whole, dataKey, to);
}
