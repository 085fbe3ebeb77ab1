/**
 * True for padded standard base64. Line breaks are allowed as Go's decoder allows them, blanks are not: what the
 * stock controller refuses must not open here.
 */
export function isBase64(text: string): boolean {
  const line = text.replaceAll(/[\r\n]/g, '');
  const body = line.endsWith('==') ? line.slice(0, -2) : line.endsWith('=') ? line.slice(0, -1) : line;
  return line.length % 4 === 0 && !/[^A-Za-z0-9+/]/.test(body);
}
