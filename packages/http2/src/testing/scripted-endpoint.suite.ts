// For tests: one Http2Connection in memory, driven by lines of text, that writes down what it hears and sends.
//
// Lines are frames (see frame-text.suite.ts) from the peer, or actions of the owner:
// With >> the owner does more in the same turn: nothing is flushed yet.
//   > respond N STATUS [end] [length=L] [{name: value} …]   > inform N STATUS [length=L]   > body N COUNT|"text"   > end N
//   > trailers N {name: value} …   > reset N CODE   > consumed N COUNT
//   > open METHOD PATH [end] [protocol=P]        > shutdown   > ping N   > fin   > lost
//   > upgrade PATH HEX (an HTTP/1.1 request became stream 1; HEX is its HTTP2-Settings)
//   > block (the transport takes no more)   > unblock   > advance MS
//   > repeat COUNT FRAME …  (the peer sends a frame again and again; %s is 1, 3, 5 …)

import { HeaderList, RequestHead, ResponseHead } from "@ripstop/http";
import type { ClientStream, ServerStream, ServerStreamHandler } from "@ripstop/http";
import { StoppedClock } from "@ripstop/testkit";
import { Http2Connection } from "../connection.ts";
import type { Flushable, Http2Output, Http2ServerHandler } from "../connection-types.ts";
import type { Http2Limits, Http2Settings } from "../limits.ts";
import { FramePrinter, parseFrame } from "./frame-text.suite.ts";
import { RecordingHandler } from "./recording-handler.suite.ts";

/** How an endpoint is set up. */
export interface EndpointOptions {
  readonly role: "server" | "client";
  readonly limits?: Partial<Http2Limits>;
  readonly settings?: Partial<Http2Settings>;
}

function text(bytes: Buffer): string {
  const latin1 = bytes.toString("latin1");
  return /^[\x20-\x7e]*$/.test(latin1) ? `"${latin1}"` : `${bytes.length} bytes`;
}

function fields(list: HeaderList): string {
  let out = "";
  for (let at = 0; at < list.length; at++) out += ` {${list.nameAt(at)}: ${list.valueAt(at)}}`;
  for (const name of list.neverIndexed) out += ` never-indexed=${name}`;
  return out;
}

function requestText(head: RequestHead): string {
  const { method, scheme, authority, path } = head;
  let out = `${method} scheme=${scheme} authority=${authority} path=${path}`;
  if (head.protocol !== "") out += ` protocol=${head.protocol}`;
  if (head.contentLength >= 0) out += ` length=${head.contentLength}`;
  if (head.expectsContinue) out += " expects-continue";
  return out + fields(head.headers);
}

/** See the file comment. */
export class ScriptedEndpoint implements Http2Output, Http2ServerHandler {
  readonly connection: Http2Connection;
  readonly clock: StoppedClock = new StoppedClock();
  readonly #record = new RecordingHandler();
  readonly #printer = new FramePrinter();
  readonly #streams = new Map<number, ServerStream & ClientStream>();
  #opened = 1;
  #body: { id: number; bytes: Buffer } | undefined;
  #flushWanted = false;
  #blocked = false;
  /** What the endpoint told its owner. */
  readonly events: string[] = [];
  /** Frames that it sent. */
  readonly frames: string[] = [];
  bytesWritten = 0;

  constructor(options: EndpointOptions) {
    const { role, ...tuning } = options;
    this.connection = new Http2Connection({ role, output: this, handler: this, clock: this.clock, ...tuning });
    this.flush();
  }

  scheduleFlush(_connection: Flushable): void {
    this.#flushWanted = true;
  }

  write(buf: Buffer, start: number, end: number): boolean {
    this.frames.push(...this.#printer.print(Buffer.from(buf.subarray(start, end))));
    this.bytesWritten += end - start;
    return !this.#blocked;
  }

  close(): void {
    this.#say("close");
  }

  onSettings(): void {}
  onIdle(): void {}
  onGoaway(lastStreamId: number, code: number, debug: string): void {
    this.#record.onGoaway(lastStreamId, code, debug);
    this.#drain();
  }
  onPong(value: number): void {
    this.#say(`pong ${value}`);
  }
  onStreamError(error: Parameters<RecordingHandler["onStreamError"]>[0]): void {
    this.#say(`stream error ${error.kind.code} code=${error.code} ${error.section}: ${error.message}`);
  }
  onError(error: Parameters<RecordingHandler["onError"]>[0]): void {
    this.#say(`error ${error.kind.code} code=${error.code} ${error.section}: ${error.message}`);
  }

  onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler {
    const id = this.#idOf(stream);
    this.#streams.set(id, stream as ServerStream & ClientStream);
    this.#say(`request ${id} ${requestText(head)}${end ? " end" : ""}`);
    return this.#handler(() => id);
  }

  /** Runs the lines; frames between two actions arrive in pieces of `pieceBytes`. */
  run(lines: readonly string[], pieceBytes: number = Infinity): void {
    let incoming: Buffer[] = [];
    const deliver = (): void => {
      const bytes = Buffer.concat(incoming);
      incoming = [];
      this.receive(bytes, pieceBytes);
    };
    for (const line of lines) {
      if (line.startsWith("> repeat ")) {
        const [, , count, ...frame] = line.split(" ");
        for (let turn = 0; turn < Number(count); turn++) {
          incoming.push(parseFrame(frame.join(" ").replaceAll("%s", String(turn * 2 + 1))));
        }
      } else if (line.startsWith("> ")) {
        deliver();
        this.#act(line.slice(2));
        this.flush();
      } else if (line.startsWith(">> ")) {
        deliver();
        this.#act(line.slice(3));
      } else if (line !== "" && !line.startsWith("#")) {
        incoming.push(parseFrame(line));
      }
    }
    deliver();
    this.#endBody();
  }

  /** The peer's bytes arrive. */
  receive(bytes: Buffer, pieceBytes: number = Infinity): void {
    if (bytes.length === 0) return;
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      this.connection.receive(bytes, at, Math.min(bytes.length, at + pieceBytes));
    }
    this.flush();
  }

  flush(): void {
    if (!this.#flushWanted) return;
    this.#flushWanted = false;
    this.connection.flush();
  }

  #act(action: string): void {
    const words: readonly string[] = action.match(/"[^"]*"|\{[^}]*\}|\S+/g) ?? [];
    const [verb = "", first = "", second = ""] = words;
    const stream = this.#streams.get(Number(first));
    const list = new HeaderList();
    for (const word of words) {
      if (!word.startsWith("{")) continue;
      const split = word.indexOf(":", 2);
      list.append(word.slice(1, split), word.slice(split + 2, -1));
    }
    switch (verb) {
      case "respond":
      case "inform": {
        const head = new ResponseHead();
        head.status = Number(second);
        head.headers.copyFrom(list);
        const length = words.find((word) => word.startsWith("length="));
        if (length !== undefined) head.contentLength = Number(length.slice(7));
        if (verb === "inform") stream?.sendInformational(head);
        else stream?.sendResponse(head, words.includes("end"));
        return;
      }
      case "body": {
        const bytes = second.startsWith('"') ? Buffer.from(second.slice(1, -1)) : Buffer.alloc(Number(second));
        if (stream?.sendBody(bytes, 0, bytes.length) === false) this.#say(`full ${first}`);
        return;
      }
      case "end":
        return stream?.sendEnd();
      case "trailers":
        return stream?.sendTrailers(list);
      case "reset":
        return stream?.reset(Number(second));
      case "consumed":
        return stream?.consumed(Number(second));
      case "open":
        return this.#open(first, second, words, list);
      case "upgrade": {
        const head = new RequestHead();
        head.authority = "a.example";
        head.path = first;
        this.connection.acceptUpgrade(head, Buffer.from(second, "hex"));
        return;
      }
      case "shutdown":
        return this.connection.shutdown();
      case "ping":
        return this.connection.ping(Number(first));
      case "fin":
        return this.connection.receivedEnd();
      case "lost":
        return this.connection.closed("the socket closed");
      case "block":
        this.#blocked = true;
        return;
      case "unblock":
        this.#blocked = false;
        return this.connection.writable();
      case "advance":
        return this.clock.advance(Number(first));
      default:
        throw new Error(`unknown action ${verb}`);
    }
  }

  #open(method: string, path: string, words: readonly string[], list: HeaderList): void {
    let id = 0;
    const stream = this.connection.open(this.#handler(() => id));
    if (stream === undefined) return this.#say("no stream");
    id = this.#opened;
    this.#streams.set(id, stream as ServerStream & ClientStream);
    const head = new RequestHead();
    head.method = method;
    head.scheme = "http";
    head.authority = "a.example";
    head.path = method === "CONNECT" ? "" : path;
    head.protocol = words.find((word) => word.startsWith("protocol="))?.slice(9) ?? "";
    head.headers.copyFrom(list);
    const refusals = this.events.length;
    stream.sendRequest(head, words.includes("end"));
    if (this.events.length === refusals) this.#opened += 2;
  }

  #handler(idOf: () => number): ServerStreamHandler & Parameters<Http2Connection["open"]>[0] {
    return {
      onInformational: (head) => this.#say(`informational ${idOf()} ${head.status}${fields(head.headers)}`),
      onResponse: (head, end) => {
        const length = head.contentLength >= 0 ? ` length=${head.contentLength}` : "";
        const protocol = head.protocol === "" ? "" : ` protocol=${head.protocol}`;
        this.#say(`response ${idOf()} ${head.status}${length}${protocol}${fields(head.headers)}${end ? " end" : ""}`);
      },
      onBody: (buf, start, end) => {
        const bytes = Buffer.from(buf.subarray(start, end));
        if (this.#body !== undefined && this.#body.id !== idOf()) this.#endBody();
        this.#body = { id: idOf(), bytes: this.#body === undefined ? bytes : Buffer.concat([this.#body.bytes, bytes]) };
      },
      onTrailers: (list) => this.#say(`trailers ${idOf()}${fields(list)}`),
      onEnd: () => this.#say(`end ${idOf()}`),
      onWritable: () => this.#say(`writable ${idOf()}`),
      onReset: (code, cause) => this.#say(`reset ${idOf()} code=${code} ${cause}`),
    };
  }

  /** Server streams are numbered by the peer; the number is part of the implementation, so it is read from there. */
  #idOf(stream: ServerStream): number {
    return "id" in stream && typeof stream.id === "number" ? stream.id : 0;
  }

  #endBody(): void {
    if (this.#body === undefined) return;
    const { id, bytes } = this.#body;
    this.#body = undefined;
    this.events.push(`body ${id} ${text(bytes)}`);
  }

  #say(event: string): void {
    this.#endBody();
    this.events.push(event);
  }

  #drain(): void {
    for (const event of this.#record.events.splice(0)) this.#say(event);
  }
}
