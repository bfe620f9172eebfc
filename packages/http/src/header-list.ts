// The header section of a message (RFC 9110 §5), as both codecs produce and consume it.

/**
 * An ordered list of header fields, reused from message to message.
 * Names are lower case; values hold no CR, LF or NUL; both are latin1 text (one character per byte).
 * Pseudo-headers and connection-specific fields (RFC 9113 §8.2.2) are never in it: codecs turn them into head fields.
 */
export class HeaderList {
  /** Number of fields in use; entries of the arrays beyond it are stale. */
  length = 0;
  readonly names: string[] = [];
  readonly values: string[] = [];
  /**
   * Names whose fields must never be put into a compression table, as a sender asked (RFC 7541 §6.2.3, §7.1.3);
   * usually empty. Codecs fill and obey it; it passes on with the fields.
   */
  readonly neverIndexed: string[] = [];

  /** Adds a field at the end, whether or not the name is there already. `name` must be lower case. */
  append(name: string, value: string): void {
    const at = this.length++;
    this.names[at] = name;
    this.values[at] = value;
  }

  /** The first value of `name` (lower case), or undefined. */
  get(name: string): string | undefined {
    const at = this.indexOf(name, 0);
    return at < 0 ? undefined : this.values[at];
  }

  /** Every value of `name` in order. Allocates: off the hot path only. */
  getAll(name: string): string[] {
    const found: string[] = [];
    for (let at = this.indexOf(name, 0); at >= 0; at = this.indexOf(name, at + 1)) found.push(this.valueAt(at));
    return found;
  }

  /** The position of the next field called `name` at or after `from`, or -1. */
  indexOf(name: string, from: number): number {
    for (let at = from; at < this.length; at++) if (this.names[at] === name) return at;
    return -1;
  }

  /** The name at position `at` (0 … length−1). */
  nameAt(at: number): string {
    return this.names[at] ?? "";
  }

  /** The value at position `at` (0 … length−1). */
  valueAt(at: number): string {
    return this.values[at] ?? "";
  }

  /** Replaces every field called `name` by one with `value`; adds it when there is none. */
  set(name: string, value: string): void {
    const at = this.indexOf(name, 0);
    if (at < 0) {
      this.append(name, value);
      return;
    }
    this.values[at] = value;
    this.#removeFrom(name, at + 1);
  }

  /** Removes every field called `name`. */
  remove(name: string): void {
    this.#removeFrom(name, 0);
  }

  /** Forgets all fields; keeps the memory. */
  clear(): void {
    this.length = 0;
    if (this.neverIndexed.length > 0) this.neverIndexed.length = 0;
  }

  /** Becomes a copy of `other`. */
  copyFrom(other: HeaderList): void {
    this.clear();
    for (let at = 0; at < other.length; at++) this.append(other.nameAt(at), other.valueAt(at));
    for (const name of other.neverIndexed) this.neverIndexed.push(name);
  }

  #removeFrom(name: string, from: number): void {
    let kept = from;
    for (let at = from; at < this.length; at++) {
      const candidate = this.nameAt(at);
      if (candidate === name) continue;
      this.names[kept] = candidate;
      this.values[kept] = this.valueAt(at);
      kept++;
    }
    this.length = kept;
  }
}
