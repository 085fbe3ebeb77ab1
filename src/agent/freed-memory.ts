/**
 * Whether the C library overwrites memory that is given back. OpenSSL gives back the buffers that TLS records are opened
 * in, and nothing in the process can overwrite those (docs/runtime.md). musl takes the same setting and does nothing.
 */
export function overwritesFreedMemory(env: Readonly<Record<string, string | undefined>>): boolean {
  return /(?:^|:)glibc\.malloc\.perturb=(?:0x)?0*[1-9a-f]/i.test(env['GLIBC_TUNABLES'] ?? '');
}
