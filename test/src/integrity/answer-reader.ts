// Reads HTTP/1.1 responses as they come on a bare socket, one after the other.

/** What a reader tells. */
export interface AnswerSink {
  /** The head of a final response; `fields` are in lower case. Whether a body follows (not after HEAD). */
  onHead(status: number, fields: ReadonlyMap<string, string>): boolean;
  /** An interim response. */
  onInformational(status: number): void;
  onBody(bytes: Buffer): void;
  onEnd(trailers: ReadonlyMap<string, string>): void;
}

type State = "head" | "body" | "chunk-size" | "chunk" | "chunk-end" | "trailers";

const NONE: ReadonlyMap<string, string> = new Map();

/** Takes bodies with a length or in chunks; nothing else is expected of a proxy. */
export class AnswerReader {
  readonly #sink: AnswerSink;
  #held: Buffer = Buffer.alloc(0);
  #state: State = "head";
  #left = 0;
  #trailers = new Map<string, string>();
  /** What is no response; undefined while all is well. */
  wrong: string | undefined = undefined;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  /** Bytes that belong to no complete part yet. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** Takes the next bytes. */
  add(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    while (this.wrong === undefined && this.#step());
  }

  #step(): boolean {
    switch (this.#state) {
      case "head":
        return this.#head();
      case "body":
      case "chunk":
        return this.#body();
      case "chunk-size": {
        const line = this.#line("\r\n");
        if (line === undefined) return false;
        this.#left = /^[\da-f]+$/i.test(line) ? Number.parseInt(line, 16) : -1;
        if (this.#left === -1) this.wrong = `chunk size ${JSON.stringify(line.slice(0, 40))}`;
        this.#state = this.#left === 0 ? "trailers" : "chunk";
        return true;
      }
      case "chunk-end":
        if (this.#line("\r\n") === undefined) return false;
        this.#state = "chunk-size";
        return true;
      case "trailers": {
        const line = this.#line("\r\n");
        if (line === undefined) return false;
        if (line === "") this.#end();
        else addField(this.#trailers, line);
        return true;
      }
    }
  }

  #head(): boolean {
    const head = this.#line("\r\n\r\n");
    if (head === undefined) return false;
    const [first = "", ...lines] = head.split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1] ?? 0);
    if (status === 0) {
      this.wrong = `${JSON.stringify(first.slice(0, 40))} is no status line`;
      return false;
    }
    if (status < 200) {
      this.#sink.onInformational(status);
      return true;
    }
    const fields = new Map<string, string>();
    for (const line of lines) addField(fields, line);
    this.#trailers = new Map();
    this.#left = Number(fields.get("content-length") ?? 0);
    const hasBody = this.#sink.onHead(status, fields);
    if (hasBody && fields.get("transfer-encoding") === "chunked") this.#state = "chunk-size";
    else if (!hasBody || this.#left === 0) this.#end();
    else this.#state = "body";
    return true;
  }

  #body(): boolean {
    const taken = Math.min(this.#left, this.#held.length);
    if (taken === 0) return false;
    const piece = this.#held.subarray(0, taken);
    this.#held = this.#held.subarray(taken);
    this.#left -= taken;
    this.#sink.onBody(piece);
    if (this.#left > 0) return false;
    if (this.#state === "chunk") this.#state = "chunk-end";
    else this.#end();
    return true;
  }

  #end(): void {
    this.#state = "head";
    this.#sink.onEnd(this.#trailers.size === 0 ? NONE : this.#trailers);
  }

  #line(end: string): string | undefined {
    const at = this.#held.indexOf(end);
    if (at === -1) return undefined;
    const line = this.#held.toString("latin1", 0, at);
    this.#held = this.#held.subarray(at + end.length);
    return line;
  }
}

function addField(fields: Map<string, string>, line: string): void {
  const colon = line.indexOf(":");
  fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
}
