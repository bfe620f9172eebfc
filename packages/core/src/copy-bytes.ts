// Copies of few bytes and of many.

/** Copies up to this size are made byte by byte: a view costs more. */
const LOOP_BYTES = 128;

/** Copies `source[start, end)` to `target` at `at`. */
export function copyBytes(target: Buffer, at: number, source: Buffer, start: number, end: number): void {
  if (end - start <= LOOP_BYTES) {
    for (let from = start, to = at; from < end; from++, to++) target[to] = source[from] ?? 0;
    return;
  }
  source.copy(target, at, start, end);
}
