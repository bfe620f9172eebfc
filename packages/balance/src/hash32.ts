// MurmurHash3 (x86, 32 bits; Austin Appleby, public domain) over the code units of a text: quick, well spread, not secret.

/** Hash of `text`, 0 … 2^32 - 1. Only the low eight bits of each character count: header text is Latin-1. */
export function hash32(text: string, seed = 0): number {
  let hash = seed | 0;
  const { length } = text;
  const whole = length & ~3;
  for (let at = 0; at < whole; at += 4) {
    const block =
      (text.charCodeAt(at) & 0xff) |
      ((text.charCodeAt(at + 1) & 0xff) << 8) |
      ((text.charCodeAt(at + 2) & 0xff) << 16) |
      ((text.charCodeAt(at + 3) & 0xff) << 24);
    hash ^= scramble(block);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = length - 1; at >= whole; at--) tail = (tail << 8) | (text.charCodeAt(at) & 0xff);
  if (whole < length) hash ^= scramble(tail);
  return mix32(hash ^ length);
}

/** Spreads the bits of a number over 0 … 2^32 - 1 (the finalizer of MurmurHash3); different numbers stay different. */
export function mix32(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scramble(block: number): number {
  const first = Math.imul(block, 0xcc9e2d51);
  return Math.imul((first << 15) | (first >>> 17), 0x1b873593);
}
