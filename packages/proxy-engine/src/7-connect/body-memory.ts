// Memory for the small bodies that exchanges keep until they are answered: to make a buffer for each call costs more than
// to copy what is in it.

const SMALL_BYTES = 256;
/** Kept at rest at most: 16 KB. */
const MAX_SPARE = 64;

const spare: Buffer[] = [];

/** Memory for at least `bytes`, with old content. */
export function takeBodyMemory(bytes: number): Buffer {
  if (bytes > SMALL_BYTES) return Buffer.allocUnsafe(bytes);
  return spare.pop() ?? Buffer.allocUnsafeSlow(SMALL_BYTES);
}

/** Takes back what `takeBodyMemory` gave; nobody may use it afterwards. */
export function giveBodyMemory(memory: Buffer): void {
  if (memory.length === SMALL_BYTES && spare.length < MAX_SPARE) spare.push(memory);
}
