const VALUE_OR_RECIPIENT = /^[-+] +(?:- )?(?:password|recipient): /;
const CIPHERTEXT = /ENC\[AES256_GCM,data:([A-Za-z0-9+/=]{1,12})[^\]]*\]/g;
const RECIPIENT = /(age1[a-z0-9]{1,16})[a-z0-9]*/g;

/** Of a diff the password and the recipient, before and after, short enough for a terminal. Pure. */
export function shownDiff(diff: string): readonly string[] {
  return diff
    .split('\n')
    .filter((line) => VALUE_OR_RECIPIENT.test(line))
    .map((line) => line.replaceAll(CIPHERTEXT, 'ENC[AES256_GCM,data:$1…]').replaceAll(RECIPIENT, '$1…'));
}
