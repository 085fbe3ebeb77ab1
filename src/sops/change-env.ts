import { rfc3339 } from '../core/clock.ts';
import type { Sensitive } from '../core/sensitive.ts';
import { changeable, type ChangeableSops, notTheSame, textOfBytes, type Unwrap } from './changeable.ts';
import { bytesOf, sealEnc } from './cipher.ts';
import type { DataKey } from './data-key.ts';
import { ENV_METADATA_PREFIX } from './dotenv.ts';
import { envMac, parseEnvText, sealEnvLines } from './env-text.ts';
import { KnownEntries } from './known.ts';
import { compileSelector } from './selector.ts';
import { openEnvText, SopsWhole } from './whole.ts';

/** A dotenv file opened to be changed; empty lines stay, which sops drops. */
export async function openEnvForChange(text: string, file: string, unwrap: Unwrap): Promise<ChangeableSops> {
  const whole = new SopsWhole(text, 'dotenv', file);
  const { metadata } = whole;
  const dataKey = await unwrap({ file, metadata });
  const known = new KnownEntries();
  const clear = await open(whole, dataKey, known);
  return changeable({
    metadata,
    dataKey,
    clear,
    sealed: async (changed, now) => {
      const { selector, macOnlyEncrypted } = metadata;
      const selects = compileSelector(selector, { file, line: metadata.line, key: `sops_${selector.kind}` });
      const lines = parseEnvText(textOfBytes(changed, file), file);
      const sealing = { file, selects, dataKey, macOnlyEncrypted, known };
      known.reset();
      const lastModified = rfc3339(now);
      const mac = await sealEnc(envMac(lines, sealing), 'str', bytesOf(lastModified), dataKey.key);
      const block = text
        .split('\n')
        .filter((line) => line.startsWith(ENV_METADATA_PREFIX))
        .map((line) => {
          if (/^sops_mac=/i.test(line)) return `${line.slice(0, 9)}${mac}\n`;
          return /^sops_lastmodified=/i.test(line) ? `${line.slice(0, 18)}${lastModified}\n` : `${line}\n`;
        });
      const sealed = (await sealEnvLines(lines, sealing)) + block.join('');
      await check(sealed, changed, file, dataKey);
      return sealed;
    },
  });
}

async function open(whole: SopsWhole, dataKey: DataKey, known?: KnownEntries): Promise<Sensitive> {
  return openEnvText(whole, dataKey, (kind, path, value, token, line) => {
    known?.add(line, token, [known.keyOf(kind, path, value)]);
  });
}

async function check(sealed: string, changed: Uint8Array, file: string, dataKey: DataKey): Promise<void> {
  using again = await open(new SopsWhole(sealed, 'dotenv', file), dataKey);
  const read = (bytes: Uint8Array): string => JSON.stringify(parseEnvText(textOfBytes(bytes, file), file));
  if (read(again.reveal()) !== read(changed)) throw notTheSame(file);
}
