/**
 * A process for the positive controls of the memory scan: keeps every value that it reads from standard input in
 * one form, says so, and waits to be killed. The input is hex of the reversed bytes, a form the scan does not know.
 */
const form = process.argv[2] ?? 'none';
const held: unknown[] = [];

function hold(value: Buffer): void {
  if (form === 'buffer') held.push(Buffer.from(value));
  else if (form === 'one-byte') held.push(value.toString('latin1'));
  // A character beyond Latin-1 makes V8 keep the whole string in two bytes each.
  else if (form === 'two-byte') held.push(Buffer.concat([wide('\u2603'), wide(value.toString())]).toString('utf16le'));
  else if (form === 'base64') held.push(value.toString('base64'));
  else if (form === 'base64-shifted-1') held.push(Buffer.concat([Buffer.from('x'), value]).toString('base64'));
  else if (form === 'base64-shifted-2') held.push(Buffer.concat([Buffer.from('xy'), value]).toString('base64'));
  else if (form === 'base64-two-byte') {
    held.push(Buffer.concat([wide('\u2603'), wide(value.toString('base64'))]).toString('utf16le'));
  } else if (form === 'hex') held.push(value.toString('hex'));
}

function wide(text: string): Buffer {
  return Buffer.from(text, 'utf16le');
}

let input = '';
process.stdin.setEncoding('latin1');
process.stdin.on('data', (piece: string) => {
  input += piece;
});
process.stdin.on('end', () => {
  for (const line of input.split('\n')) {
    if (form !== 'none' && line !== '') hold(Buffer.from(Buffer.from(line, 'hex').toReversed()));
  }
  process.stdout.write(`holding ${held.length}\n`);
  setInterval(() => held.length, 60_000);
});
