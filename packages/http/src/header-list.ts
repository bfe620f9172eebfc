// The header section of a message (RFC 9110 §5), as both codecs produce and consume it.

const NO_NAMES: readonly string[] = [];

/**
 * An ordered list of header fields, reused from message to message.
 * Names are lower case; values hold no CR, LF or NUL; both are latin1 text (one character per byte).
 * Pseudo-headers and connection-specific fields (RFC 9113 §8.2.2) are never in it: codecs turn them into head fields.
 */
export class HeaderList {
  /** Number of fields in use; entries of the arrays beyond it are stale. */
  length = 0;
  #names: string[] = [];
  /** Undefined: not yet cut out of `source`. Most values that a proxy passes on are never looked at. */
  #values: (string | undefined)[] = [];
  /**
   * Names whose fields must never be put into a compression table, as a sender asked (RFC 7541 §6.2.3, §7.1.3);
   * usually empty. Codecs fill and obey it; it passes on with the fields. Lists are never changed, so that they can be
   * shared: emptying an array costs a call into the runtime for each message.
   */
  neverIndexed: readonly string[] = NO_NAMES;
  /** The text that `lineStart` and `lineEnd` refer to. */
  source = "";
  /** Where the field stands in `source` as a line; −1 when it does not. */
  #lineStarts: number[] = [];
  #lineEnds: number[] = [];

  /** Adds a field at the end, whether or not the name is there already. `name` must be lower case. */
  append(name: string, value: string): void {
    const at = this.length++;
    this.#names[at] = name;
    this.#values[at] = value;
    this.#lineStarts[at] = -1;
  }

  /**
   * Adds the field that `source[start, end)` holds as a line, exactly "name: value CRLF" with the name in any case: an
   * HTTP/1.1 encoder may then send neighbouring lines as one piece.
   */
  appendLine(name: string, start: number, end: number): void {
    const at = this.length++;
    this.#names[at] = name;
    this.#values[at] = undefined;
    this.#lineStarts[at] = start;
    this.#lineEnds[at] = end;
  }

  /** Start in `source` of the line of the field at position `at`; −1 when it is not there as a line. */
  lineStart(at: number): number {
    return this.#lineStarts[at] ?? -1;
  }

  /** End in `source` of that line, CRLF included. */
  lineEnd(at: number): number {
    return this.#lineEnds[at] ?? -1;
  }

  /** The first value of `name` (lower case), or undefined. */
  get(name: string): string | undefined {
    const at = this.indexOf(name, 0);
    return at < 0 ? undefined : this.valueAt(at);
  }

  /** Every value of `name` in order. Allocates: off the hot path only. */
  getAll(name: string): string[] {
    const found: string[] = [];
    for (let at = this.indexOf(name, 0); at >= 0; at = this.indexOf(name, at + 1)) found.push(this.valueAt(at));
    return found;
  }

  /** The position of the next field called `name` at or after `from`, or -1. */
  indexOf(name: string, from: number): number {
    const names = this.#names;
    const { length } = this;
    for (let at = from; at < length; at++) if (names[at] === name) return at;
    return -1;
  }

  /** The name at position `at` (0 … length−1). */
  nameAt(at: number): string {
    return this.#names[at] ?? "";
  }

  /** The value at position `at` (0 … length−1). */
  valueAt(at: number): string {
    return this.#values[at] ?? this.#cutOut(at);
  }

  /** Replaces the value of the field at position `at` (0 … length−1). */
  replaceAt(at: number, value: string): void {
    this.#values[at] = value;
    this.#lineStarts[at] = -1;
  }

  /** Replaces every field called `name` by one with `value`; adds it when there is none. */
  set(name: string, value: string): void {
    const at = this.indexOf(name, 0);
    if (at < 0) {
      this.append(name, value);
      return;
    }
    this.replaceAt(at, value);
    this.#removeFrom(name, at + 1);
  }

  /** Removes every field called `name`. */
  remove(name: string): void {
    const at = this.indexOf(name, 0);
    if (at >= 0) this.#removeFrom(name, at);
  }

  /** Forgets all fields; keeps the memory. */
  clear(): void {
    this.length = 0;
    this.source = "";
    this.neverIndexed = NO_NAMES;
  }

  /** Adds a name to `neverIndexed`. */
  neverIndex(name: string): void {
    const { neverIndexed } = this;
    if (neverIndexed.length === 0) this.neverIndexed = [name];
    else if (!neverIndexed.includes(name)) this.neverIndexed = [...neverIndexed, name];
  }

  /** Becomes a copy of `other`. */
  copyFrom(other: HeaderList): void {
    const { length } = other;
    this.length = length;
    this.source = other.source;
    this.neverIndexed = other.neverIndexed;
    const names = this.#names;
    const values = this.#values;
    const starts = this.#lineStarts;
    for (let at = 0; at < length; at++) {
      const start = other.lineStart(at);
      names[at] = other.nameAt(at);
      values[at] = other.#values[at];
      starts[at] = start;
      if (start >= 0) this.#lineEnds[at] = other.lineEnd(at);
    }
  }

  /** Becomes what `other` is, without copying; `other` is empty afterwards. */
  takeFrom(other: HeaderList): void {
    this.clear();
    const { source, neverIndexed, length } = this;
    const names = this.#names;
    const values = this.#values;
    const starts = this.#lineStarts;
    const ends = this.#lineEnds;
    this.length = other.length;
    this.source = other.source;
    this.neverIndexed = other.neverIndexed;
    this.#names = other.#names;
    this.#values = other.#values;
    this.#lineStarts = other.#lineStarts;
    this.#lineEnds = other.#lineEnds;
    other.length = length;
    other.source = source;
    other.neverIndexed = neverIndexed;
    other.#names = names;
    other.#values = values;
    other.#lineStarts = starts;
    other.#lineEnds = ends;
  }

  #cutOut(at: number): string {
    const start = this.lineStart(at);
    if (start < 0) return "";
    const value = this.source.substring(start + this.nameAt(at).length + 2, this.lineEnd(at) - 2);
    this.#values[at] = value;
    return value;
  }

  #removeFrom(name: string, from: number): void {
    let kept = from;
    for (let at = from; at < this.length; at++) {
      const candidate = this.nameAt(at);
      if (candidate === name) continue;
      if (kept !== at) {
        this.#names[kept] = candidate;
        this.#values[kept] = this.#values[at];
        this.#lineStarts[kept] = this.lineStart(at);
        this.#lineEnds[kept] = this.lineEnd(at);
      }
      kept++;
    }
    this.length = kept;
  }
}
