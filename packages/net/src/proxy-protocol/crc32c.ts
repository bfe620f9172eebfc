// CRC-32C (Castagnoli, RFC 9260 appendix A), the checksum of PROXY protocol headers.

const POLYNOMIAL = 0x82f63b78;

/** The checksum of `bytes`, unsigned. Bit by bit: headers are short and rarely have one. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
