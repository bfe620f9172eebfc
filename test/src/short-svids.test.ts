// SVIDs that live for seconds under traffic: every certificate is exchanged many times over, and nobody notices. Runs for half
// a minute with 20 s, so that a machine that stalls for seconds renews in time; RIPSTOP_SHORT_SVID_SECONDS=300 is the run for
// the record, with 10 s.

import assert from "node:assert/strict";
import { once, type EventEmitter } from "node:events";
import { writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { createRequire } from "node:module";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { ControlInfo, CreatedJoinTokenView, WorkloadView } from "@ripstop/model";
import { Mesh } from "./mesh.ts";
import { echoServer } from "./programs.ts";

/** The part of ws (which has no types of its own) that is used here. */
interface WebSocketClient extends EventEmitter {
  send(text: string): void;
  terminate(): void;
}
const { WebSocket } = createRequire(import.meta.url)("ws") as { WebSocket: new (url: string) => WebSocketClient };

const FOR_THE_RECORD = process.env["RIPSTOP_SHORT_SVID_SECONDS"];
const SECONDS = Number(FOR_THE_RECORD ?? "25");
const TTL_S = FOR_THE_RECORD === undefined ? 20 : 10;

const webSocketServer = `
const { WebSocketServer } = require("ws");
new WebSocketServer({ port: Number(process.env.PORT), host: "127.0.0.1" }).on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
process.on("SIGTERM", () => process.exit(0));`;
const tcpServer = `
require("node:net").createServer((socket) => socket.pipe(socket)).listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));`;
const caller = `console.log("env " + JSON.stringify(process.env)); process.stdin.resume()`;

describe(`SVIDs that live for ${TTL_S} s`, () => {
  const mesh = new Mesh();
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  let env: Readonly<Record<string, string | undefined>>;
  let webSocket: WebSocketClient;
  let tcp: Socket;

  const get = (): Promise<number> =>
    new Promise((resolve) => {
      const proxy = new URL(env["HTTP_PROXY"] ?? "");
      const options = {
        agent,
        host: proxy.hostname,
        port: proxy.port,
        path: "http://echo/",
        headers: { host: "echo" },
      };
      const outgoing = request(options, (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 0));
      });
      outgoing.on("error", () => resolve(0));
      outgoing.end();
    });
  const upstream = (name: string): number => Number(env[`${name}_SERVICE_PORT`]);
  const issued = async (): Promise<number> =>
    Number(/^ripstop_identity_issued_total ([0-9]+)/m.exec((await mesh.api("GET", "/metrics")).body)?.[1] ?? 0);

  before(async () => {
    await mesh.startControl(["--svid-ttl", `${TTL_S}s`]);
    const { joinAddress } = JSON.parse((await mesh.api("GET", "/v1/info")).body) as ControlInfo;
    const asked = { namespace: "default", serviceAccount: "echo", ttlMs: 60_000 };
    const made = JSON.parse((await mesh.api("POST", "/v1/join/tokens", asked)).body) as CreatedJoinTokenView;
    const tokenFile = join(mesh.home, "echo.token");
    writeFileSync(tokenFile, made.token, { mode: 0o600 });
    const serve = (service: string, program: string, options: readonly string[]): void =>
      void mesh.ripstop([
        ...["run", "--service", service, "--port", "auto", ...options],
        ...["--", process.execPath, "--eval", program],
      ]);
    // One of them lives on the join listener: it renews on its own SVID over TLS.
    serve("echo", echoServer, ["--join", joinAddress, "--token-file", tokenFile]);
    serve("sock", webSocketServer, ["--protocol", "http"]);
    serve("raw", tcpServer, ["--protocol", "tcp"]);
    const run = mesh.ripstop([
      ...["run", "--service", "caller", "--upstream", "sock", "--upstream", "raw"],
      ...["--", process.execPath, "--eval", caller],
    ]);
    const [, text = "{}"] = await run.printed(/^env (.*)$/m);
    env = JSON.parse(text) as typeof env;
    await mesh.until("all four are ready", async () => {
      const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as { workloads: WorkloadView[] };
      return workloads.length === 4 && workloads.every(({ ready }) => ready) ? true : undefined;
    });
    await mesh.until("echo answers", async () => ((await get()) === 200 ? true : undefined));
    webSocket = new WebSocket(`ws://127.0.0.1:${upstream("SOCK")}/`);
    await once(webSocket, "open");
    tcp = connect(upstream("RAW"), "127.0.0.1");
    await once(tcp, "connect");
  });
  after(() => mesh.stop());
  after(() => {
    agent.destroy();
    webSocket.terminate();
    tcp.destroy();
  });

  it(`breaks nothing in ${SECONDS} s: requests, a WebSocket and a TCP connection`, async (context) => {
    let ended = "";
    // Ends what waits for an answer that will not come.
    const closed = new AbortController();
    const { signal } = closed;
    const end = (how: string): void => {
      ended += how;
      closed.abort();
    };
    webSocket.on("close", () => end("the WebSocket closed. "));
    webSocket.on("error", (error: Error) => end(`WebSocket: ${error.message}. `));
    tcp.on("close", () => end("the TCP connection closed. "));
    tcp.on("error", (error) => end(`TCP: ${error.message}. `));
    const before = await issued();
    const untilMs = Date.now() + SECONDS * 1000;
    const statuses = new Map<number, number>();
    let rounds = 0;
    while (Date.now() < untilMs && ended === "") {
      rounds++;
      const word = `word ${rounds}`;
      const heard = once(webSocket, "message", { signal }).catch(() => [ended]);
      const read = readText(tcp, word.length, signal).catch(() => ended);
      webSocket.send(word);
      tcp.write(word);
      const [status, [message], text] = await Promise.all([get(), heard, read]);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      assert.equal(String(message), word);
      assert.equal(text, word);
    }
    webSocket.removeAllListeners();
    tcp.removeAllListeners();
    assert.equal(ended, "");
    assert.deepEqual([...statuses.keys()], [200]);
    const renewed = (await issued()) - before;
    context.diagnostic(`${rounds} rounds in ${SECONDS} s, ${renewed} SVIDs issued for 5 identities meanwhile`);
    // Each of the five (the control plane's own among them) at half of its life, and no more often than twice that.
    assert.ok(renewed >= Math.floor(SECONDS / TTL_S) * 5, `${renewed} renewals`);
    const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as { workloads: WorkloadView[] };
    for (const { id, svidNotAfterMs } of workloads) assert.ok(svidNotAfterMs <= Date.now() + TTL_S * 1000, id);
  });
});

/** So many bytes, in however many pieces they come. */
async function readText(socket: Socket, length: number, signal: AbortSignal): Promise<string> {
  let text = "";
  while (text.length < length) {
    // oxlint-disable-next-line no-await-in-loop -- piece after piece
    const [bytes] = (await once(socket, "data", { signal })) as [Buffer];
    text += bytes.toString("latin1");
  }
  return text;
}
