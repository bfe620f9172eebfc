// One exchange by an HTTP/1.1 or HTTP/2 client.

import { request as httpRequest, type Agent, type ClientRequest, type IncomingMessage } from "node:http";
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { ContentCheck } from "./content.ts";
import type { Seen } from "./outcome.ts";
import { downSeed, type Plan } from "./plan.ts";
import { hardReset, receiveContent, resetStream, sendContent } from "./streams.ts";

const MAX_DETAIL = 300;
const CLIENT_WINDOW = 8 * 1024 * 1024;

/** Where an exchange goes. */
export interface Way {
  readonly port: number;
  /** Origin form to a declared upstream; absolute form at the HTTP proxy. */
  readonly path: string;
  readonly host: string;
}

/** Cuts the exchange once read and written bytes reach the plan's limit. */
export class Cutter {
  readonly #plan: Plan;
  readonly #cut: () => void;
  #sent = 0;
  #received = 0;
  #cutDone = false;
  /** The answer came to its end: nothing is cut any more, as the socket may serve another request. */
  over = false;

  constructor(plan: Plan, cut: () => void) {
    this.#plan = plan;
    this.#cut = cut;
  }

  sent(bytes: number): boolean {
    this.#sent = bytes;
    return this.#look();
  }

  received(bytes: number): void {
    this.#received = bytes;
    this.#look();
  }

  #look(): boolean {
    if (this.#cutDone) return false;
    if (this.over || this.#plan.abortAt === -1 || this.#sent + this.#received < this.#plan.abortAt) return true;
    this.#cutDone = true;
    this.#cut();
    return false;
  }
}

/** The exchange that a connection carried last. */
const carried = new WeakMap<Socket, number>();

/** Over HTTP/1.1. */
export async function overHttp1(plan: Plan, way: Way, agent: Agent): Promise<Seen> {
  const { server } = plan;
  const headers: Record<string, string> = { host: way.host, "x-plan": JSON.stringify(server), te: "trailers" };
  if (server.up > 0 || plan.method === "POST" || plan.method === "PUT") {
    if (!plan.chunked) headers["content-length"] = String(server.up);
    else headers["transfer-encoding"] = "chunked";
  }
  if (server.upTrailers) headers["trailer"] = "x-up-trailer";
  if (plan.expect) headers["expect"] = "100-continue";
  const request = httpRequest({
    host: "127.0.0.1",
    port: way.port,
    method: plan.method,
    path: way.path,
    headers,
    agent,
  });
  const cutter = new Cutter(plan, () => {
    if (plan.abortHard) hardReset(request.socket ?? undefined);
    request.destroy();
  });
  const check = new ContentCheck(downSeed(server));
  const answered = answerOf(request);
  void upload(plan, request, cutter);
  const response = await answered;
  if (typeof response === "string") {
    const before =
      request.reusedSocket && request.socket !== null
        ? `, on a connection used before by ${carried.get(request.socket)}`
        : "";
    return { status: 0, clean: false, check, trailer: undefined, sized: false, detail: response + before };
  }
  if (request.socket !== null) carried.set(request.socket, server.index);
  if (response.statusCode !== 200) {
    return {
      status: response.statusCode ?? 0,
      clean: false,
      check,
      trailer: undefined,
      sized: false,
      detail: await textOf(response),
    };
  }
  const clean = await receiveContent(response, check, {
    slow: plan.slowRead,
    onBytes: () => cutter.received(check.received),
  });
  cutter.over = true;
  const trailer = response.trailers["x-down-trailer"];
  return {
    status: 200,
    clean: clean && response.complete,
    check,
    trailer,
    sized: response.headers["content-length"] !== undefined,
    detail: clean ? "" : "connection lost",
  };
}

async function upload(plan: Plan, request: ClientRequest, cutter: Cutter): Promise<void> {
  const { server } = plan;
  if (plan.expect) {
    request.flushHeaders();
    // An early final answer comes instead of the 100; the body is then sent all the same, as its length is promised.
    await new Promise<void>((resolve) => {
      request.once("continue", () => resolve());
      request.once("response", () => resolve());
      request.once("error", () => resolve());
      request.once("close", () => resolve());
    });
  }
  const whole = await sendContent(request, {
    seed: server.seed,
    length: server.up,
    piece: plan.piece,
    slow: plan.slowWrite,
    before: (sent) => cutter.sent(sent),
  });
  if (!whole) return;
  if (server.upTrailers) request.addTrailers({ "x-up-trailer": String(server.seed) });
  request.end();
}

function answerOf(request: ClientRequest): Promise<IncomingMessage | string> {
  return new Promise((resolve) => {
    request.on("response", resolve);
    request.on("error", (error) => resolve(error.message));
    request.on("close", () => resolve("closed"));
  });
}

function textOf(stream: IncomingMessage | ClientHttp2Stream): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    stream.on("data", (chunk: Buffer) => (text = (text + chunk.toString()).slice(0, MAX_DETAIL)));
    stream.on("end", () => resolve(text));
    stream.on("error", (error) => resolve(`${text} ${error.message}`));
    stream.on("close", () => resolve(text));
  });
}

/** Over HTTP/2; with `abortHard` on a connection of its own, which is what the client cuts. */
export async function overHttp2(plan: Plan, way: Way, shared: ClientHttp2Session): Promise<Seen> {
  const { server } = plan;
  const own = plan.abortAt !== -1 && plan.abortHard;
  const session = own ? openSession(way.port) : shared;
  const check = new ContentCheck(downSeed(server));
  const withBody = server.up > 0 || plan.method === "POST" || plan.method === "PUT";
  const stream = session.request(
    {
      ":method": plan.method,
      ":path": way.path,
      ":authority": way.host,
      "x-plan": JSON.stringify(server),
      te: "trailers",
      ...(withBody && !plan.chunked ? { "content-length": String(server.up) } : {}),
    },
    { endStream: !withBody, waitForTrailers: server.upTrailers },
  );
  const cutter = new Cutter(plan, () => {
    if (own) session.destroy();
    else resetStream(stream);
  });
  let status = 0;
  let sized = false;
  let trailer: string | undefined;
  let detail = "";
  const answered = new Promise<void>((resolve) => {
    stream.on("response", (headers) => {
      status = headers[":status"] ?? 0;
      sized = headers["content-length"] !== undefined;
      resolve();
    });
    stream.on("error", (error) => {
      detail = error.message;
      resolve();
    });
    stream.on("close", () => {
      if (stream.rstCode !== 0) detail ||= `reset ${stream.rstCode}`;
      resolve();
    });
  });
  stream.on("trailers", (trailers) => (trailer = String(trailers["x-down-trailer"])));
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-up-trailer": String(server.seed) }));
  if (withBody) {
    void sendContent(stream, {
      seed: server.seed,
      length: server.up,
      piece: plan.piece,
      slow: plan.slowWrite,
      before: (sent) => cutter.sent(sent),
    }).then((whole) => whole && stream.end());
  } else cutter.sent(0);
  await answered;
  if (status !== 200) {
    if (status !== 0) detail = await textOf(stream);
    if (own) session.destroy();
    return { status, clean: false, check, trailer, sized, detail };
  }
  const ended = await receiveContent(stream, check, {
    slow: plan.slowRead,
    onBytes: () => cutter.received(check.received),
  });
  cutter.received(check.received);
  if (!stream.closed) await new Promise((resolve) => stream.once("close", resolve));
  if (own) session.destroy();
  // Node ends a stream that was reset with CANCEL or NO_ERROR as if it were complete.
  return { status, clean: ended && stream.rstCode === 0, check, trailer, sized, detail };
}

/** A connection with prior knowledge. */
export function openSession(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`, { settings: { enablePush: false, initialWindowSize: 200_000 } });
  session.on("error", () => undefined);
  session.on("connect", () => {
    if (!session.destroyed) session.setLocalWindowSize(CLIENT_WINDOW);
  });
  return session;
}
