import type { Writable } from 'node:stream';
import type { Surroundings } from './context.ts';
import { escaped, harmless } from './terminal.ts';

/**
 * Data goes to stdout, talk to stderr. Resolves when the stream has taken the bytes, so that a buffer with secret
 * bytes may be wiped afterwards. A reader that went away (`| head`) is no error.
 */
export async function writeData(around: Pick<Surroundings, 'stdout'>, data: string | Uint8Array): Promise<void> {
  await write(around.stdout, data);
}

/** As JSON in which nothing acts on a terminal. */
export function jsonText(value: object): string {
  return escaped(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** One line for the person in front of it, made harmless. */
export async function say(around: Pick<Surroundings, 'stderr'>, line: string): Promise<void> {
  await write(around.stderr, `${harmless(line)}\n`);
}

function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  if (data.length === 0 || stream.destroyed || stream.writableEnded) return Promise.resolve();
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => {
      if (error === null || error === undefined || isClosedPipe(error)) resolve();
      else reject(error);
    });
  });
}

export function isClosedPipe(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED';
}

/**
 * Rows with aligned columns, two blanks apart; cells are made harmless; the last column is not padded. `decorate` gets
 * the padded cell, because colours have no width.
 */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  decorate: (padded: string, cell: string, column: number) => string = (padded) => padded,
): string {
  const cells = [header, ...rows].map((row) => row.map((cell) => harmless(cell)));
  // No spread: there may be more rows than a call takes arguments.
  const widths = header.map((_, column) => cells.reduce((most, row) => Math.max(most, widthOf(row[column] ?? '')), 0));
  const lines = cells.map((row, index) =>
    row
      .map((cell, column) => {
        const missing = column === row.length - 1 ? 0 : (widths[column] ?? 0) - widthOf(cell);
        const padded = cell + ' '.repeat(missing);
        return index === 0 ? padded : decorate(padded, cell, column);
      })
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

/** Characters, not UTF-16 units. */
function widthOf(cell: string): number {
  return cell.match(/./gsu)?.length ?? 0;
}
