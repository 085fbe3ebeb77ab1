/** A SOPS file whose first encrypted value has another first character: always another one, whatever it was. */
export function damaged(sopsFile: string): string {
  const other = sopsFile.replace(/(ENC\[AES256_GCM,data:)(.)/, (_, start: string, first: string) => {
    return `${start}${first === 'Z' ? 'Y' : 'Z'}`;
  });
  if (other === sopsFile) throw new Error('this file has no encrypted value');
  return other;
}
