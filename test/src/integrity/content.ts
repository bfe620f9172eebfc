// Bytes that are a function of (seed, offset), so that a lost, doubled, moved or foreign piece is seen at the first wrong byte.

/** A prime, so that no buffer size of any layer divides it. */
const PERIOD = 1_048_583;
/** Longest slice that `content` gives at once. */
const MAX_PIECE: number = 256 * 1024;

const table: Buffer = makeTable();

function makeTable(): Buffer {
  const bytes = Buffer.allocUnsafe(PERIOD + MAX_PIECE);
  let state = 0x2545f491;
  for (let at = 0; at < PERIOD; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state >>> 11;
  }
  bytes.copy(bytes, PERIOD, 0, MAX_PIECE);
  return bytes;
}

function startOf(seed: number, offset: number): number {
  return ((((seed % PERIOD) * 7919) % PERIOD) + offset) % PERIOD;
}

/** The bytes from `offset` on, at most `length` and at most 256 KiB. The result must not be written to. */
export function content(seed: number, offset: number, length: number): Buffer {
  const start = startOf(seed, offset);
  return table.subarray(start, start + Math.min(length, MAX_PIECE));
}

/** Checks a body as it arrives. */
export class ContentCheck {
  readonly #seed: number;
  received = 0;
  /** Offset of the first wrong byte; -1 while all are right. */
  wrongAt = -1;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Takes the next bytes. */
  add(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && this.wrongAt === -1; at += MAX_PIECE) {
      const piece = bytes.subarray(at, at + MAX_PIECE);
      const expected = content(this.#seed, this.received + at, piece.length);
      if (piece.equals(expected)) continue;
      let inPiece = 0;
      while (piece[inPiece] === expected[inPiece]) inPiece++;
      this.wrongAt = this.received + at + inPiece;
    }
    this.received += bytes.length;
  }
}
