import { formatOfName } from '../authoring/sealed-file.ts';
import { SottoError } from '../core/errors.ts';
import type { WholeFormat } from '../sops/scalar.ts';

/** The formats of sops. */
export type FileFormat = WholeFormat;

export interface FormatFlags {
  readonly inputType?: string;
  readonly outputType?: string;
}

const FORMATS: readonly FileFormat[] = ['yaml', 'json', 'dotenv', 'ini', 'binary'];

/** The format by flag, else by name, as sops decides. */
export function fileFormat(name: string, flags: Pick<FormatFlags, 'inputType'>): FileFormat {
  return formatNamed(flags.inputType, '--input-type') ?? formatOfName(name);
}

/** Of what is written: by flag, else the one that was read. */
export function outputFormat(read: FileFormat, { outputType }: FormatFlags): FileFormat {
  return formatNamed(outputType, '--output-type') ?? read;
}

function formatNamed(word: string | undefined, flag: string): FileFormat | undefined {
  if (word === undefined) return undefined;
  const format = FORMATS.find((each) => each === word);
  if (format !== undefined) return format;
  throw new SottoError({
    code: 'SOTTO-CLI-001',
    what: `${flag} does not know this format`,
    why: `it takes ${FORMATS.join(', ')}`,
    next: `${flag} yaml`,
  });
}
