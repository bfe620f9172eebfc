// Reads HTTP/1.1 answers to our own GET requests, one at a time on a connection: just enough for load programs.

/** Tells the status of each complete answer. Length comes from content-length, or the last chunk. */
export class Http1Answers {
  readonly #onAnswer: (status: number) => void;
  #text = "";

  constructor(onAnswer: (status: number) => void) {
    this.#onAnswer = onAnswer;
  }

  /** Takes the next bytes. Always true, so that a socket goes on reading. */
  push(bytes: Buffer): boolean {
    this.#text += bytes.latin1Slice();
    const status = this.#complete();
    if (status !== undefined) this.#onAnswer(status);
    return true;
  }

  #complete(): number | undefined {
    const headEnd = this.#text.indexOf("\r\n\r\n");
    if (headEnd < 0) return undefined;
    const head = this.#text.slice(0, headEnd);
    const length = /\r\ncontent-length: *([0-9]+)/i.exec(head)?.[1];
    const end =
      length === undefined ? this.#text.indexOf("\r\n0\r\n\r\n", headEnd + 2) + 7 : headEnd + 4 + Number(length);
    if (end < headEnd + 4 || this.#text.length < end) return undefined;
    this.#text = this.#text.slice(end);
    return Number(head.slice(9, 12));
  }
}
