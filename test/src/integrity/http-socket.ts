// One exchange by an HTTP/1.1 client on a bare socket. Unlike Node's it sends its upload to the end whatever is answered
// meanwhile, and it asks once more on the same connection: what a proxy left unread would be taken for that request.

import { connect, type Socket } from "node:net";
import { AnswerReader } from "./answer-reader.ts";
import { ContentCheck } from "./content.ts";
import { Cutter, type Way } from "./http-exchange.ts";
import type { Seen } from "./outcome.ts";
import { downSeed, type Plan, type ServerPlan } from "./plan.ts";
import { hardReset, pause, sendContent } from "./streams.ts";

const MAX_PAUSES = 8;
const MAX_DETAIL = 300;
const MAX_SECOND_ANSWER = 20_000;

/** What the bare client saw. */
export interface SocketSeen {
  readonly seen: Seen;
  /** What is wrong beside the answer: the upload, the connection or the second request. */
  readonly wrong: string | undefined;
}

/** Over HTTP/1.1; comes back when answer and upload are both over, or the connection is. */
export async function overSocket(plan: Plan, way: Way): Promise<SocketSeen> {
  const connection = new Connection(plan, way);
  try {
    return await connection.run();
  } finally {
    connection.socket.destroy();
  }
}

class Connection {
  readonly socket: Socket;
  readonly #plan: Plan;
  readonly #way: Way;
  readonly #closed: Promise<void>;
  readonly #answered: Promise<void>;
  readonly #reader: AnswerReader;
  readonly #cutter: Cutter;
  #onAnswered: () => void = () => undefined;
  #onContinue: () => void = () => undefined;
  #check: ContentCheck;
  #status = 0;
  #fields: ReadonlyMap<string, string> = new Map();
  #trailers: ReadonlyMap<string, string> = new Map();
  #complete = false;
  #detail = "";
  #isOver = false;
  /** Of the second request. */
  #second: ServerPlan | undefined = undefined;
  #onSecond: (wrong: string | undefined) => void = () => undefined;

  constructor(plan: Plan, way: Way) {
    this.#plan = plan;
    this.#way = way;
    this.#check = new ContentCheck(downSeed(plan.server));
    // Half open: the proxy's FIN does not stop the upload, only the end of the connection does.
    const socket = connect({ port: way.port, host: "127.0.0.1", allowHalfOpen: true });
    this.socket = socket;
    this.#cutter = new Cutter(plan, () => {
      if (plan.abortHard) hardReset(socket);
      else socket.destroy();
    });
    this.#answered = new Promise((resolve) => (this.#onAnswered = resolve));
    this.#reader = new AnswerReader({
      onHead: (status, fields) => this.#head(status, fields),
      onInformational: () => this.#onContinue(),
      onBody: (bytes) => this.#body(bytes),
      onEnd: (trailers) => this.#end(trailers),
    });
    this.#closed = new Promise((resolve) => {
      socket.on("end", resolve);
      socket.on("error", (error) => {
        this.#detail ||= error.message;
      });
      socket.on("close", () => resolve());
    });
    void this.#closed.then(() => {
      this.#isOver = true;
      this.#onAnswered();
      this.#onContinue();
    });
    this.#read();
  }

  async run(): Promise<SocketSeen> {
    const { server, abortAt } = this.#plan;
    this.#ask(this.#plan.method, server, this.#framing());
    const upload = this.#upload();
    await this.#answered;
    // Whoever was answered and is not cut may send all of the rest; it ends by itself when the connection does.
    const whole = await upload;
    await this.#answered;
    const seen = this.#seen();
    if (this.#reader.wrong !== undefined) return { seen, wrong: `no response: ${this.#reader.wrong}` };
    if (this.#complete && seen.status === 200 && seen.detail !== "") return { seen, wrong: seen.detail };
    if (!this.#complete || abortAt !== -1) return { seen, wrong: undefined };
    if (/\bclose\b/i.test(this.#fields.get("connection") ?? "")) {
      await this.#closed;
      return { seen, wrong: undefined };
    }
    if (!whole) return { seen, wrong: `closed in the middle of the upload behind a ${this.#status}` };
    return { seen, wrong: await this.#askAgain() };
  }

  #seen(): Seen {
    const check = this.#check;
    const status = this.#status;
    return {
      status,
      clean: this.#complete,
      check,
      trailer: this.#trailers.get("x-down-trailer"),
      sized: this.#fields.has("content-length"),
      detail: this.#detail || (this.#complete ? "" : "connection lost"),
    };
  }

  #framing(): string {
    const { server, method, chunked, expect } = this.#plan;
    let fields = "";
    if (server.up > 0 || method === "POST" || method === "PUT")
      fields = chunked ? "transfer-encoding: chunked\r\n" : `content-length: ${server.up}\r\n`;
    if (server.upTrailers) fields += "trailer: x-up-trailer\r\n";
    return expect ? `${fields}expect: 100-continue\r\n` : fields;
  }

  #ask(method: string, server: ServerPlan, fields: string): void {
    const { path, host } = this.#way;
    this.socket.write(
      `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nte: trailers\r\nx-plan: ${JSON.stringify(server)}\r\n${fields}\r\n`,
    );
  }

  /** Whether all of the upload left. */
  async #upload(): Promise<boolean> {
    const { server, chunked, piece, slowWrite: slow, expect } = this.#plan;
    if (expect)
      await new Promise<void>((resolve) => {
        this.#onContinue = resolve;
        // Answered in place of the 100: the body is sent all the same, as its length is promised.
        void this.#answered.then(resolve);
        if (this.#isOver) resolve();
      });
    const whole = await sendContent(this.socket, {
      ...{ seed: server.seed, length: server.up, piece, slow },
      before: (sent) => this.#cutter.sent(sent),
      ...(chunked ? { frame: chunkOf } : {}),
    });
    if (!whole || this.socket.destroyed) return false;
    const trailer = server.upTrailers ? `x-up-trailer: ${server.seed}\r\n` : "";
    if (chunked) this.socket.write(`0\r\n${trailer}\r\n`);
    return true;
  }

  #read(): void {
    let pauses = 0;
    const { socket } = this;
    socket.on("data", (bytes) => {
      this.#reader.add(bytes);
      if (this.#reader.wrong !== undefined) this.#onAnswered();
      if (!this.#plan.slowRead || pauses++ >= MAX_PAUSES) return;
      socket.pause();
      void pause(pauses).then(() => socket.resume());
    });
  }

  #head(status: number, fields: ReadonlyMap<string, string>): boolean {
    if (this.#second !== undefined) {
      this.#check = new ContentCheck(downSeed(this.#second));
      if (status !== 200) this.#onSecond(`second request on the connection: status ${status}`);
      return true;
    }
    this.#status = status;
    this.#fields = fields;
    return this.#plan.method !== "HEAD";
  }

  #body(bytes: Buffer): void {
    if (this.#second === undefined && this.#status !== 200) {
      this.#detail = (this.#detail + bytes.toString()).slice(0, MAX_DETAIL);
      return;
    }
    this.#check.add(bytes);
    if (this.#second === undefined) this.#cutter.received(this.#check.received);
  }

  #end(trailers: ReadonlyMap<string, string>): void {
    const second = this.#second;
    if (second === undefined) {
      if (this.#complete) this.#detail ||= "two answers to one request";
      this.#complete = true;
      this.#cutter.over = true;
      this.#trailers = trailers;
      this.#onAnswered();
      return;
    }
    const { wrongAt, received } = this.#check;
    if (wrongAt !== -1) this.#onSecond(`answer to the second request differs at ${wrongAt}`);
    else if (received === second.down) this.#onSecond(undefined);
    else this.#onSecond(`answer to the second request has ${received} of ${second.down} bytes`);
  }

  /** A small request behind the upload. */
  #askAgain(): Promise<string | undefined> {
    const { server } = this.#plan;
    const second: ServerPlan = {
      ...server,
      seed: server.seed + 7,
      up: 0,
      down: server.down % MAX_SECOND_ANSWER,
      answer: "after",
      upTrailers: false,
      abortAt: -1,
    };
    this.#second = second;
    const answered = new Promise<string | undefined>((resolve) => {
      this.#onSecond = resolve;
      void this.#closed.then(() => resolve("the connection closed in place of an answer to the second request"));
    });
    this.#ask("GET", second, "");
    return answered;
  }
}

function chunkOf(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
}
