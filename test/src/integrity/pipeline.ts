// Pipelined GETs: all requests leave in one write; the answers must come in order, whole.

import { connect } from "node:net";
import { AnswerReader } from "./answer-reader.ts";
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
  const answers = new AnswerCheck(plans);
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

/** Compares the answers with their plans, in order. */
class AnswerCheck {
  readonly #plans: readonly ServerPlan[];
  readonly #reader: AnswerReader;
  #check = new ContentCheck(0);
  count = 0;
  wrong: string | undefined = undefined;

  constructor(plans: readonly ServerPlan[]) {
    this.#plans = plans;
    this.#reader = new AnswerReader({
      onHead: (status) => this.#begin(status),
      onInformational: (status) => (this.wrong ??= `interim response ${status}`),
      onBody: (bytes) => this.#check.add(bytes),
      onEnd: () => this.#finish(),
    });
  }

  get done(): boolean {
    return this.count === this.#plans.length;
  }

  add(bytes: Buffer): void {
    this.#reader.add(bytes);
    this.wrong ??= this.#reader.wrong;
    if (this.done && this.#reader.heldBytes > 0) this.wrong ??= "bytes after the last answer";
  }

  #begin(status: number): boolean {
    const plan = this.#plans[this.count];
    if (plan === undefined) this.wrong ??= "an answer too many";
    else if (status !== 200) this.wrong ??= `pipelined answer ${this.count}: status ${status}`;
    this.#check = new ContentCheck(plan === undefined ? 0 : downSeed(plan));
    return true;
  }

  #finish(): void {
    const plan = this.#plans[this.count];
    if (plan === undefined) return;
    if (this.#check.wrongAt !== -1) this.wrong ??= `pipelined answer ${this.count} differs at ${this.#check.wrongAt}`;
    else if (this.#check.received !== plan.down)
      this.wrong ??= `pipelined answer ${this.count} has ${this.#check.received} of ${plan.down} bytes`;
    this.count++;
  }
}
