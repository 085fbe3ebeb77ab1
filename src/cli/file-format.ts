import { SottoError } from '../core/errors.ts';

/** The file formats this version reads and writes. */
export type FileFormat = 'yaml' | 'json';

export interface FormatFlags {
  readonly inputType?: string;
  readonly outputType?: string;
}

const LATER = ['dotenv', 'ini', 'binary'];

/** The format by flag, else by name, as sops decides. `--output-type` may only repeat it in this version. */
export function fileFormat(name: string, flags: FormatFlags): FileFormat {
  const format = formatNamed(flags.inputType, '--input-type') ?? formatOfName(name);
  const wanted = formatNamed(flags.outputType, '--output-type') ?? format;
  if (wanted !== format) {
    throw new SottoError({
      code: 'SOTTO-CLI-003',
      what: `not in this version: writing ${format} as ${wanted}`,
      file: name,
      why: 'a file keeps its format',
      next: 'leave --output-type out',
    });
  }
  return format;
}

function formatNamed(word: string | undefined, flag: string): FileFormat | undefined {
  if (word === undefined || word === 'yaml' || word === 'json') return word;
  if (LATER.includes(word)) {
    throw new SottoError({
      code: 'SOTTO-CLI-003',
      what: `not in this version: ${flag} ${word}`,
      why: 'only yaml and json are built',
      next: 'use sops for this file',
    });
  }
  throw new SottoError({
    code: 'SOTTO-CLI-001',
    what: `${flag} does not know this format`,
    why: 'it takes yaml or json',
    next: `${flag} yaml`,
  });
}

function formatOfName(name: string): FileFormat {
  if (/\.ya?ml$/.test(name)) return 'yaml';
  if (name.endsWith('.json')) return 'json';
  throw new SottoError({
    code: 'SOTTO-CLI-003',
    what: 'not in this version: a file that is neither YAML nor JSON',
    file: name,
    why: 'the format follows from the name, and sops would treat every other name as dotenv, ini or binary',
    next: 'say --input-type yaml, or for stdin --filename with a name that ends in .yaml or .json',
  });
}
