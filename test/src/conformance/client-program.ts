// A client inside the mesh: reads requests from standard input, one JSON object a line, sends each through the proxy of its
// environment, and prints one line of JSON an answer.

import { Agent, request, type RequestOptions } from "node:http";
import { connect, type ClientHttp2Session } from "node:http2";
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";

/** One request. */
export interface ClientRequest {
  readonly id: number;
  /** "HOST" or "HOST:PORT". */
  readonly host: string;
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly grpc: boolean;
  /** Inside of a tunnel, the path as a line of text in place of a request. */
  readonly tcp: boolean;
  /** Asks inside of a tunnel to the host (CONNECT). */
  readonly tunnel: boolean;
}

const proxy = new URL(process.env["HTTP_PROXY"] ?? "http://127.0.0.1:1");
const agent = new Agent({ keepAlive: true, maxSockets: 32 });
let session: ClientHttp2Session | undefined;

function tell(answer: object): void {
  console.log(JSON.stringify(answer));
}

/** Sends the request and tells what comes back; `place` says where it is sent. */
function send({ id, method, headers, body, host }: ClientRequest, place: RequestOptions): void {
  const outgoing = request({ ...place, method, headers: { host, ...headers } }, (response) => {
    let text = "";
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => (text += chunk));
    response.on("end", () => tell({ id, status: response.statusCode, headers: response.headers, body: text }));
  });
  outgoing.on("error", (error) => tell({ id, status: 0, headers: {}, body: String(error) }));
  outgoing.end(body);
}

/** Sends a line of text and tells what comes back until the other side ends. */
function sendLine(id: number, socket: Duplex, line: string): void {
  let text = "";
  let error = "closed without an answer";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => (text += chunk));
  socket.on("error", (cause) => (error = String(cause)));
  socket.on("close", () => tell({ id, status: text === "" ? 0 : 200, headers: {}, body: text === "" ? error : text }));
  socket.write(`${line}\n`);
}

const toProxy: RequestOptions = { host: proxy.hostname, port: proxy.port };

function askHttp1(asked: ClientRequest): void {
  const { id, host, path, tunnel, tcp } = asked;
  if (!tunnel && !tcp) {
    send(asked, { ...toProxy, agent, path: `http://${host}${path}` });
    return;
  }
  const opening = request({ ...toProxy, agent: false, method: "CONNECT", path: host, headers: { host } });
  opening.on("error", (error) => tell({ id, status: 0, headers: {}, body: String(error) }));
  opening.on("response", ({ statusCode }) => tell({ id, status: statusCode, headers: {}, body: "no tunnel" }));
  opening.on("connect", ({ statusCode }, socket) => {
    if (statusCode === 200 && tcp) sendLine(id, socket, path);
    else if (statusCode === 200) send(asked, { createConnection: () => socket, path });
    else tell({ id, status: statusCode, headers: {}, body: "no tunnel" });
  });
  opening.end();
}

function askGrpc({ id, host, path, headers }: ClientRequest): void {
  if (session === undefined || session.destroyed || session.closed) {
    session = connect(proxy.origin);
    session.on("error", () => undefined);
  }
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    ":authority": host,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  let status = 0;
  let grpc: unknown;
  const chunks: Buffer[] = [];
  stream.on("error", (error) => tell({ id, status: 0, headers: {}, body: String(error) }));
  stream.on("response", (head) => {
    status = Number(head[":status"]);
    grpc ??= head["grpc-status"];
  });
  stream.on("trailers", (trailers) => (grpc = trailers["grpc-status"]));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("end", () =>
    tell({ id, status, headers: {}, body: Buffer.concat(chunks).toString("utf8", 5), grpc: Number(grpc) }),
  );
  stream.end(Buffer.alloc(5));
}

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const asked = JSON.parse(line) as ClientRequest;
    if (asked.grpc) askGrpc(asked);
    else askHttp1(asked);
  })
  .on("close", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));
console.log("client ready");
