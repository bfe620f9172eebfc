// Texts that come again on whatever connection: the same bytes give the same string. They cost no new one, and who
// compares them with each other, as the encoder does for each field, need not look at their characters.

/** A table of texts by hash; a new one takes the place of an old one. */
export class KnownTexts {
  readonly #texts: string[];
  readonly #mask: number;
  /** Where the last text stands, 0 ... `slots` - 1, and whether it has just come there. */
  slot = 0;
  isNew = false;

  /** `slots`: a power of two. */
  constructor(slots: number) {
    this.#texts = Array.from({ length: slots }, () => "");
    this.#mask = slots - 1;
  }

  /** The text of `buf[start, end)`. */
  take(buf: Buffer, start: number, end: number): string {
    let hash = end - start;
    for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (buf[at] ?? 0)) | 0;
    const slot = (hash ^ (hash >>> 10)) & this.#mask;
    const candidate = this.#texts[slot] ?? "";
    this.slot = slot;
    this.isNew = !sameText(candidate, buf, start, end);
    if (!this.isNew) return candidate;
    const text = buf.latin1Slice(start, end);
    this.#texts[slot] = text;
    return text;
  }
}

/**
 * All characters are always compared: the time that this takes tells the peer of one connection nothing of how much of a
 * guess is right that another one's peer said.
 */
function sameText(text: string, buf: Buffer, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  let difference = 0;
  for (let at = start; at < end; at++) difference |= text.charCodeAt(at - start) ^ (buf[at] ?? 0);
  return difference === 0;
}
