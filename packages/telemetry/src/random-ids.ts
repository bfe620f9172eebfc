// Unguessable ids without a system call each: bytes come from a pool that the system's generator refills.

import { randomFillSync } from "node:crypto";

const POOL_BYTES = 8_192;
const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Makes request, trace and span ids. */
export class RandomIds {
  readonly #pool = Buffer.allocUnsafeSlow(POOL_BYTES);
  #next = POOL_BYTES;

  /** `count` (≤ 64) random bytes as lower-case hex, never all zero. */
  hex(count: number): string {
    for (;;) {
      const at = this.#take(count);
      let text = "";
      let any = 0;
      for (let i = at; i < at + count; i++) {
        const byte = this.#pool[i] ?? 0;
        any |= byte;
        text += HEX[byte] ?? "";
      }
      if (any !== 0) return text;
    }
  }

  /** A request id: a random UUID (RFC 9562 §5.4, version 4). */
  requestId(): string {
    const at = this.#take(16);
    const pool = this.#pool;
    pool[at + 6] = ((pool[at + 6] ?? 0) & 0x0f) | 0x40;
    pool[at + 8] = ((pool[at + 8] ?? 0) & 0x3f) | 0x80;
    let text = "";
    for (let i = 0; i < 16; i++) {
      if (i === 4 || i === 6 || i === 8 || i === 10) text += "-";
      text += HEX[pool[at + i] ?? 0] ?? "";
    }
    return text;
  }

  #take(count: number): number {
    if (this.#next + count > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#next = 0;
    }
    const at = this.#next;
    this.#next = at + count;
    return at;
  }
}
