import { flatBlock, jsonMember } from './block.ts';
import { binaryMac, sealBinary } from './change-binary.ts';
import { textOfBytes } from './changeable.ts';
import { type EncryptOptions, encryptSops, withNewKey } from './encrypt.ts';
import { ENV_METADATA_PREFIX } from './dotenv.ts';
import { envMac, parseEnvText, sealEnvLines } from './env-text.ts';
import type { WholeFormat } from './scalar.ts';
import { BINARY_KEY } from './sops-key.ts';
import { iniText } from './ini-text.ts';
import { parseIni } from './ini.ts';
import { INI_METADATA_SECTION } from './ini-file.ts';
import { refuseOtherSelection } from './ini-selection.ts';
import { iniMac, parseClearIni, sealIniTree } from './seal-ini.ts';
import { compileSelector, DEFAULT_SELECTOR } from './selector.ts';

export type EncryptFileOptions = Omit<EncryptOptions, 'format'> & { readonly format: WholeFormat };

/** Encrypts a file of any format so that sops and sotto open it. Throws SottoError. */
export async function encryptFile(clear: Uint8Array, options: EncryptFileOptions): Promise<string> {
  const { format, file } = options;
  switch (format) {
    case 'yaml':
    case 'json':
      return encryptSops(textOfBytes(clear, file), { ...options, format });
    case 'dotenv':
      return encryptEnv(textOfBytes(clear, file), options);
    case 'binary':
      return encryptBinary(clear, options);
    case 'ini':
      return encryptIni(textOfBytes(clear, file), options);
    default:
      return format satisfies never;
  }
}

async function encryptEnv(text: string, options: EncryptFileOptions): Promise<string> {
  const { file, selector = DEFAULT_SELECTOR, macOnlyEncrypted = false } = options;
  const selects = compileSelector(selector, { file });
  const lines = parseEnvText(text, file);
  return withNewKey(options, selector, async ({ dataKey, block }) => {
    const sealing = { file, selects, dataKey, macOnlyEncrypted };
    const fields = await block(envMac(lines, sealing));
    const metadata = flatBlock(fields).map(
      ([name, value]) => `${ENV_METADATA_PREFIX}${name}=${value.replaceAll('\n', '\\n')}\n`,
    );
    return (await sealEnvLines(lines, sealing)) + metadata.join('');
  });
}

/** Laid out as sops does it: what its reader drops, as comments behind the last key, must not stay there in clear. */
async function encryptIni(text: string, options: EncryptFileOptions): Promise<string> {
  const { file, selector = DEFAULT_SELECTOR, macOnlyEncrypted = false } = options;
  const selects = compileSelector(selector, { file });
  const clear = parseClearIni(text, selects, file);
  return withNewKey(options, selector, async ({ dataKey, block }) => {
    const fields = await block(iniMac(clear, macOnlyEncrypted));
    const keys = flatBlock(fields).map(([name, value]) => ({
      name,
      value: value.replaceAll('\n', '\\n'),
      comment: undefined,
    }));
    const content = await sealIniTree(clear, { file, selects, dataKey, macOnlyEncrypted });
    const sealed = iniText([...content, { name: INI_METADATA_SECTION, comment: undefined, keys }], file);
    refuseOtherSelection(clear.selection, parseIni(sealed, file).slice(0, -1), selects, file);
    return sealed;
  });
}

/** Selectors and `mac_only_encrypted` say nothing about a file that is one value (spec/sops.md, section 9). */
async function encryptBinary(clear: Uint8Array, options: EncryptFileOptions): Promise<string> {
  return withNewKey({ ...options, macOnlyEncrypted: false }, undefined, async ({ dataKey, block }) => {
    const fields = await block(binaryMac(clear, false));
    const data = await sealBinary(clear, dataKey);
    return `{\n\t"${BINARY_KEY}": "${data}",\n\t${jsonMember(fields, { unit: '\t', margin: '\t' })}\n}\n`;
  });
}
