// Pipelined GETs: all requests leave in one write; the answers must come in order, whole.

import { connect } from "node:net";
import { ContentCheck } from "./content.ts";
import type { Way } from "./http-exchange.ts";
import { downSeed, type Plan, type ServerPlan } from "./plan.ts";

const SEED_STEP = 1_000_003;

/** The first thing that is wrong; undefined when every answer is as planned. */
export function pipelined(plan: Plan, way: Way): Promise<string | undefined> {
  const plans: ServerPlan[] = Array.from({ length: plan.depth }, (_, at) => ({
    ...plan.server,
    seed: (plan.server.seed + at * SEED_STEP) >>> 0,
    down: (plan.server.down * (at + 3)) % 60_000,
  }));
  const socket = connect(way.port, "127.0.0.1");
  const requests = plans.map(
    (one) => `GET ${way.path} HTTP/1.1\r\nhost: ${way.host}\r\nte: trailers\r\nx-plan: ${JSON.stringify(one)}\r\n\r\n`,
  );
  socket.write(requests.join(""));
  const answers = new AnswerReader(plans);
  return new Promise((resolve) => {
    const finish = (wrong: string | undefined): void => {
      resolve(wrong);
      socket.destroy();
    };
    socket.on("data", (bytes) => {
      answers.add(bytes);
      if (answers.wrong !== undefined || answers.done) finish(answers.wrong);
    });
    socket.on("error", (error) => finish(`pipeline: ${error.message}`));
    socket.on("close", () => finish(`pipeline closed after ${answers.count} of ${plans.length} answers`));
  });
}

/** Reads responses with content-length or chunked bodies. */
class AnswerReader {
  readonly #plans: readonly ServerPlan[];
  #held: Buffer = Buffer.alloc(0);
  #state: "head" | "body" | "chunk-size" | "chunk" | "chunk-end" | "trailers" = "head";
  #left = 0;
  #check = new ContentCheck(0);
  count = 0;
  wrong: string | undefined = undefined;

  constructor(plans: readonly ServerPlan[]) {
    this.#plans = plans;
  }

  get done(): boolean {
    return this.count === this.#plans.length;
  }

  add(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    while (this.wrong === undefined && !this.done && this.#step());
    if (this.done && this.#held.length > 0) this.wrong = "bytes after the last answer";
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
        this.#left = Number.parseInt(line, 16);
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
        if (line === "") this.#finish();
        return true;
      }
    }
  }

  #head(): boolean {
    const head = this.#line("\r\n\r\n");
    const plan = this.#plans[this.count];
    if (head === undefined || plan === undefined) return false;
    if (!head.startsWith("HTTP/1.1 200 ")) {
      this.wrong = `pipelined answer ${this.count}: ${head.split("\r\n")[0]}`;
      return false;
    }
    this.#check = new ContentCheck(downSeed(plan));
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    this.#left = Number(length ?? 0);
    if (length === undefined) this.#state = "chunk-size";
    else if (this.#left === 0) this.#finish();
    else this.#state = "body";
    return true;
  }

  #body(): boolean {
    const taken = Math.min(this.#left, this.#held.length);
    if (taken === 0) return false;
    this.#check.add(this.#held.subarray(0, taken));
    this.#held = this.#held.subarray(taken);
    this.#left -= taken;
    if (this.#left > 0) return false;
    if (this.#state === "chunk") this.#state = "chunk-end";
    else this.#finish();
    return true;
  }

  #finish(): void {
    const plan = this.#plans[this.count];
    this.#state = "head";
    if (plan === undefined) return;
    if (this.#check.wrongAt !== -1) this.wrong = `pipelined answer ${this.count} differs at ${this.#check.wrongAt}`;
    else if (this.#check.received !== plan.down)
      this.wrong = `pipelined answer ${this.count} has ${this.#check.received} of ${plan.down} bytes`;
    this.count++;
  }

  #line(end: string): string | undefined {
    const at = this.#held.indexOf(end);
    if (at === -1) return undefined;
    const line = this.#held.toString("latin1", 0, at);
    this.#held = this.#held.subarray(at + end.length);
    return line;
  }
}
