// The Huffman code of HPACK (RFC 7541 §5.2, Appendix B): table-driven decoder, and an encoder for tests and tools.

/** Code lengths in bits of the symbols 0 … 255 and EOS (256). The code is canonical: the lengths define it. */
const CODE_LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];

const EOS = 256;
const EMIT = 0x100;
const FAIL = 0x200;
const SYMBOL = 0xff;
const STATE_SHIFT = 10;

/** Codes by symbol, from the lengths: shorter first, then by symbol. */
function canonicalCodes(): Uint32Array {
  const codes = new Uint32Array(CODE_LENGTHS.length);
  let code = 0;
  let previous = 0;
  for (let length = 1; length <= 30; length++) {
    for (let symbol = 0; symbol < CODE_LENGTHS.length; symbol++) {
      if (CODE_LENGTHS[symbol] !== length) continue;
      code = previous === 0 ? 0 : code * 2 ** (length - previous);
      codes[symbol] = code++;
      previous = length;
    }
  }
  return codes;
}

interface Machine {
  /** By (state << 4 | nibble): next state, whether a symbol comes out and which, or failure. */
  readonly steps: Uint32Array;
  /** By state: 1 when the input may end here (a prefix of EOS of at most 7 bits). */
  readonly mayEnd: Uint8Array;
}

/** Builds the machine that eats four bits a step. No code is shorter than 5 bits, so a step gives at most one symbol. */
function buildMachine(): Machine {
  const codes = canonicalCodes();
  // A binary tree: children by (node << 1 | bit); a leaf is stored as -(symbol + 1).
  const children: number[] = [0, 0];
  for (let symbol = 0; symbol < CODE_LENGTHS.length; symbol++) {
    const length = CODE_LENGTHS[symbol] ?? 0;
    let node = 0;
    for (let bit = length - 1; bit >= 0; bit--) {
      const slot = node * 2 + (((codes[symbol] ?? 0) >>> bit) & 1);
      if (bit === 0) {
        children[slot] = -(symbol + 1);
      } else {
        if (children[slot] === 0) {
          children[slot] = children.length / 2;
          children.push(0, 0);
        }
        node = children[slot] ?? 0;
      }
    }
  }
  const count = children.length / 2;
  const steps = new Uint32Array(count * 16);
  for (let state = 0; state < count; state++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = state;
      let out = 0;
      for (let bit = 3; bit >= 0; bit--) {
        const next = children[node * 2 + ((nibble >> bit) & 1)] ?? 0;
        if (next >= 0) {
          node = next;
        } else if (next === -(EOS + 1)) {
          out = FAIL;
          break;
        } else {
          out = EMIT | (-next - 1);
          node = 0;
        }
      }
      steps[state * 16 + nibble] = (node << STATE_SHIFT) | out;
    }
  }
  const mayEnd = new Uint8Array(count);
  let node = 0;
  for (let bits = 0; bits < 8; bits++) {
    mayEnd[node] = 1;
    node = children[node * 2 + 1] ?? 0;
  }
  return { steps, mayEnd };
}

/** Built at first use: a proxy of HTTP/1.1 starts without. */
let machine: Machine | undefined;

/** The most bytes that `length` Huffman-coded bytes can decode to. */
export function huffmanDecodedBound(length: number): number {
  return ((length * 8) / 5) | 0;
}

/**
 * Decodes `source[start, end)` into the start of `target`; `target` must have room for `huffmanDecodedBound`.
 * Returns the position after the last byte, or -1: EOS in the text, or padding that is not up to 7 one-bits (RFC 7541 §5.2).
 */
export function huffmanDecode(source: Buffer, start: number, end: number, target: Buffer): number {
  const { steps, mayEnd } = (machine ??= buildMachine());
  let state = 0;
  let at = 0;
  for (let from = start; from < end; from++) {
    const byte = source[from] ?? 0;
    let step = steps[(state << 4) | (byte >> 4)] ?? FAIL;
    if ((step & EMIT) !== 0) target[at++] = step & SYMBOL;
    if ((step & FAIL) !== 0) return -1;
    state = step >>> STATE_SHIFT;
    step = steps[(state << 4) | (byte & 15)] ?? FAIL;
    if ((step & EMIT) !== 0) target[at++] = step & SYMBOL;
    if ((step & FAIL) !== 0) return -1;
    state = step >>> STATE_SHIFT;
  }
  return mayEnd[state] === 1 ? at : -1;
}

/** The Huffman code of latin1 `text`. Off the hot path: the encoder sends plain text by default. */
export function huffmanEncode(text: string): Buffer {
  const codes = canonicalCodes();
  const bytes: number[] = [];
  let pending = 0n;
  let bits = 0;
  for (let at = 0; at < text.length; at++) {
    const symbol = text.charCodeAt(at) & 0xff;
    const length = CODE_LENGTHS[symbol] ?? 0;
    pending = (pending << BigInt(length)) | BigInt(codes[symbol] ?? 0);
    bits += length;
    while (bits >= 8) {
      bits -= 8;
      bytes.push(Number((pending >> BigInt(bits)) & 0xffn));
    }
    pending &= (1n << BigInt(bits)) - 1n;
  }
  if (bits > 0) bytes.push(Number(((pending << BigInt(8 - bits)) | ((1n << BigInt(8 - bits)) - 1n)) & 0xffn));
  return Buffer.from(bytes);
}
