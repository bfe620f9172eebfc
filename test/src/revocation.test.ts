// A revoked identity is out at once: live HTTP/2, WebSocket and TCP connections end at both ends, nothing new begins, no
// certificate is issued; everybody else's connections live on.

import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createKeyAndCsr } from "@ripstop/identity/csr";
import type { IdentityDetails, IdentityList, RevokeResponse } from "@ripstop/model";
import { meshServerName } from "@ripstop/net";
import { rawTls, type Presented } from "@ripstop/testkit/hostile";
import { Mesh, type Running } from "./mesh.ts";

/** Answers every connection with a tick now and then, for ever: HTTP, WebSocket, or plain TCP. */
const ticker = `
const { createHash } = require("node:crypto");
const tick = (socket, bytes) => { const timer = setInterval(() => socket.write(bytes), 50); socket.on("close", () => clearInterval(timer)); socket.on("error", () => {}); };
if (process.env.KIND === "tcp") require("node:net").createServer((socket) => tick(socket, "tick")).listen(Number(process.env.PORT), "127.0.0.1");
else require("node:http").createServer((request, response) => {
  if (request.url === "/once") return response.end("once");
  tick(response, "tick");
}).on("upgrade", (request, socket) => {
  const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
  socket.write("HTTP/1.1 101 Switching Protocols\\r\\nupgrade: websocket\\r\\nconnection: upgrade\\r\\nsec-websocket-accept: " + accept + "\\r\\n\\r\\n");
  tick(socket, Buffer.from("8104" + Buffer.from("tick").toString("hex"), "hex"));
}).listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
`;

/**
 * Holds one connection of each kind, says when one ends, counts ticks ("?") and sends one request ("get") when asked. What
 * ends before its first tick is tried again: whoever comes early may be refused.
 */
const holder = `
const http = require("node:http"), http2 = require("node:http2"), net = require("node:net");
const proxy = new URL(process.env.HTTP_PROXY);
const ticks = { http2: 0, websocket: 0, tcp: 0 };
const heard = (kind) => { if (ticks[kind]++ === 0) console.log("open " + kind); };
const closed = (kind) => { if (ticks[kind] > 0) console.log("closed " + kind); else setTimeout(open[kind], 100); };
const open = {
  http2() {
    const session = http2.connect(proxy.origin);
    session.on("error", () => {});
    const stream = session.request({ ":method": "GET", ":scheme": "http", ":authority": "ticker", ":path": "/" });
    stream.on("response", (headers) => { if (headers[":status"] === 200) stream.on("data", () => heard("http2")); else session.destroy(); });
    stream.on("error", () => {}).on("close", () => closed("http2"));
  },
  websocket() {
    const upgrade = http.request({ host: proxy.hostname, port: proxy.port, path: "http://ticker/", headers: { host: "ticker", connection: "upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==" } });
    let isUp = false;
    upgrade.on("upgrade", (_r, socket) => { isUp = true; socket.on("data", () => heard("websocket")).on("error", () => {}).on("close", () => closed("websocket")); });
    upgrade.on("response", (response) => response.resume()).on("error", () => {}).on("close", () => { if (!isUp) closed("websocket"); }).end();
  },
  tcp() {
    net.connect(Number(process.env.TCPTICK_SERVICE_PORT), process.env.TCPTICK_SERVICE_HOST)
      .on("data", () => heard("tcp")).on("error", () => {}).on("close", () => closed("tcp"));
  },
};
for (const kind of Object.keys(open)) open[kind]();
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "?") console.log("ticks " + JSON.stringify(ticks));
  else http.get({ agent: false, host: proxy.hostname, port: proxy.port, path: "http://ticker/once", headers: { host: "ticker" } }, (response) => {
    let text = "";
    response.on("data", (chunk) => (text += chunk)).on("end", () => console.log(line + " " + response.statusCode + " " + text));
  }).on("error", (error) => console.log(line + " 0 " + error.message));
});
process.on("SIGTERM", () => process.exit(0));
`;

const KINDS = ["http2", "websocket", "tcp"] as const;

describe("a revocation", () => {
  const mesh = new Mesh();
  let victim: Running;
  let bystander: Running;

  function run(service: string, options: readonly string[], program: string, env: NodeJS.ProcessEnv = {}): Running {
    const command = ["--", process.execPath, "--eval", program];
    return mesh.ripstop(["run", "--service", service, ...options, ...command], env);
  }

  before(async () => {
    await mesh.startControl();
    run("ticker", ["--port", "auto"], ticker);
    run("tcptick", ["--port", "auto", "--protocol", "tcp"], ticker, { KIND: "tcp" });
    await mesh.until("both tickers are ready", async () => {
      const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
        workloads: { ready: boolean }[];
      };
      return workloads.length === 2 && workloads.every(({ ready }) => ready) ? true : undefined;
    });
    victim = run("victim", ["--upstream", "tcptick"], holder);
    bystander = run("bystander", ["--upstream", "tcptick"], holder);
    for (const one of [victim, bystander]) {
      for (const kind of KINDS) await one.printed(new RegExp(`open ${kind}`));
    }
  });
  after(() => mesh.stop());

  let asked = 0;
  async function get(who: Running): Promise<string> {
    const name = `get${++asked}`;
    who.child.stdin?.write(`${name}\n`);
    return (await who.printed(new RegExp(`^${name} (.*)$`, "m")))[1] ?? "";
  }

  async function ticks(who: Running): Promise<Readonly<Record<string, number>>> {
    const from = who.output().length;
    who.child.stdin?.write("?\n");
    return mesh.until("ticks are told", () => {
      const match = /^ticks (.*)$/m.exec(who.output().slice(from));
      return match ? (JSON.parse(match[1] ?? "{}") as Record<string, number>) : undefined;
    });
  }

  async function json<T>(...args: string[]): Promise<T> {
    const { code, output } = await mesh.command([...args, "-o", "json"]);
    assert.equal(code, 0, output);
    return JSON.parse(output) as T;
  }

  async function stillHears(who: Running): Promise<void> {
    const before = await ticks(who);
    await mesh.until("every connection goes on", async () => {
      const now = await ticks(who);
      return KINDS.every((kind) => (now[kind] ?? 0) > (before[kind] ?? 0)) ? true : undefined;
    });
  }

  /** A handshake with the ticker's proxy by somebody who copied a certificate and its key. */
  async function attempt(identity: Presented): Promise<string> {
    const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
      workloads: { id: string; service: string; inboundAddress: string; applicationAddress: string }[];
    };
    const target = workloads.find(({ service }) => service === "ticker");
    assert.ok(target);
    const port = Number(target.applicationAddress.split(":")[1]);
    return rawTls({
      ...identity,
      host: "127.0.0.1",
      port: Number(target.inboundAddress.split(":")[1]),
      serverName: meshServerName(target.id, port) ?? "",
      alpn: "h2",
    });
  }

  it("takes an identity its live HTTP/2, WebSocket and TCP connections, and nobody else theirs", async () => {
    const answer = await json<RevokeResponse>(
      "identity",
      "revoke",
      "default/victim",
      "--timeout",
      "2m",
      "--reason",
      "stolen laptop",
    );
    assert.deepEqual(answer.pending, []);
    assert.equal(answer.live, answer.total);
    assert.equal(answer.total, 4);
    for (const kind of KINDS) await victim.printed(new RegExp(`closed ${kind}`));
    await stillHears(bystander);
    assert.doesNotMatch(bystander.output(), /closed/);
  });

  it("lets the revoked call nobody any more, and tells them why", async () => {
    const answer = await get(victim);
    assert.match(answer, /^503 .*RS1001.*sa\/victim was revoked: stolen laptop/);
    assert.match(await get(bystander), /^200 once/);
  });

  it("holds at the peers even when the own proxy does not know", async () => {
    assert.equal(await attempt(stolenIdentity(mesh.home, "bystander")), "open");
    assert.notEqual(await attempt(stolenIdentity(mesh.home, "victim")), "open");
    const counters = [
      /ripstop_tls_handshakes_total\{[^}]*reason="revoked"[^}]*\} [1-9]/,
      /ripstop_connections_revoked_total\{[^}]*\} [1-9]/,
    ];
    await mesh.until("both are counted", async () => {
      const metrics = await metricsOf(mesh, "ticker");
      return counters.every((counter) => counter.test(metrics)) ? true : undefined;
    });
  });

  it("ends the certificates of the identity", async () => {
    const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
      workloads: { id: string; service: string; spiffeId: string }[];
    };
    const own = workloads.find(({ service }) => service === "victim");
    assert.ok(own);
    const { csrPem } = await createKeyAndCsr(own.spiffeId);
    const answer = await mesh.api("POST", `/v1/workloads/${own.id}/svid`, { csrPem });
    assert.equal(answer.status, 422);
    assert.match(answer.body, /RS2045.*stolen laptop/);
    const issue = await mesh.command(["identity", "issue", "default/victim", "--out", join(mesh.home, "x")]);
    assert.equal(issue.code, 1);
    assert.match(issue.output, /RS2045.*stolen laptop/);
  });

  it("is shown with its reason, and in the events", async () => {
    const list = await json<IdentityList>("identity", "list");
    const shown = list.identities.find(({ spiffeId }) => spiffeId.endsWith("/sa/victim"));
    assert.equal(shown?.revocation?.reason, "stolen laptop");
    const text = (await mesh.command(["identity", "show", "default/victim"])).output;
    assert.match(text, /REVOKED: +\d{4}-.*stolen laptop/);
    const events = (await mesh.api("GET", "/v1/events")).body;
    assert.match(events, /"IdentityRevoked","subject":"spiffe:[^"]*\/sa\/victim"/);
  });

  it("can be taken back", async () => {
    await json("identity", "unrevoke", "default/victim");
    await mesh.until("the victim can call again", async () =>
      (await get(victim)).startsWith("200") ? true : undefined,
    );
  });

  it("may be one single certificate, in any spelling of its number", async () => {
    const { certificates } = await json<IdentityDetails>("identity", "show", "default/victim");
    const serial = certificates[0]?.serialNumber ?? "";
    const spelled = (serial.length % 2 === 0 ? serial : `0${serial}`).toUpperCase().replaceAll(/(..)(?=.)/g, "$1:");
    const old = stolenIdentity(mesh.home, "victim");
    assert.equal(await attempt(old), "open");
    await json("identity", "revoke", "--serial", spelled, "--timeout", "2m", "--reason", "in a backup");
    // The workload may have another certificate already.
    const pattern = `^(503 .*certificate ${serial} of .* was revoked: in a backup|200)`;
    assert.match(await get(victim), new RegExp(pattern));
    assert.notEqual(await attempt(old), "open");
    assert.match(await get(bystander), /^200/);
    await mesh.until("the workload has another certificate and is back", async () =>
      (await get(victim)).startsWith("200") ? true : undefined,
    );
    const after = await json<IdentityDetails>("identity", "show", "default/victim");
    assert.notEqual(after.serialNumber, serial);
    assert.notEqual(await attempt(old), "open");
    await json("identity", "unrevoke", "--serial", serial);
  });

  it("of a server ends callers' connections, and none to other services", async () => {
    await json("identity", "revoke", "default/ticker", "--timeout", "2m");
    await bystander.printed(/closed http2/);
    await bystander.printed(/closed websocket/);
    const before = await ticks(bystander);
    await mesh.until("the TCP connection to another service goes on", async () =>
      ((await ticks(bystander))["tcp"] ?? 0) > (before["tcp"] ?? 0) ? true : undefined,
    );
    assert.doesNotMatch(bystander.output(), /closed tcp/);
    assert.match(await get(bystander), /^503 .*revoked/);
  });

  it("cannot be of the control plane, a trust domain, or nonsense", async () => {
    for (const id of ["ripstop-system/control", "spiffe://mesh.local", "Spiffe://x/y"]) {
      const { code, output } = await mesh.command(["identity", "revoke", id]);
      assert.equal(code, 1, output);
      assert.match(output, /RS3070/);
    }
    assert.equal((await mesh.command(["identity", "revoke"])).code, 2);
    assert.match((await mesh.command(["identity", "unrevoke", "default/nobody"])).output, /RS3071/);
  });
});

/** Certificate and key of a workload, as somebody copies them who got into its host. */
function stolenIdentity(home: string, service: string): Presented {
  const files = stateFilesOf(home, service);
  const svid = files.find((path) => path.endsWith("svid.pem")) ?? "";
  const key = files.find((path) => path.endsWith("key.pem")) ?? "";
  const blocks = readFileSync(svid, "utf8").match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return { chain: blocks.map((one) => new X509Certificate(one).raw), key: createPrivateKey(readFileSync(key)) };
}

function stateFilesOf(home: string, service: string): readonly string[] {
  return readdirSync(home, { recursive: true, encoding: "utf8" })
    .filter((path) => path.includes(`${service}-`))
    .map((path) => join(home, path));
}

async function metricsOf(mesh: Mesh, service: string): Promise<string> {
  const socket = stateFilesOf(mesh.home, service).find((path) => path.endsWith("admin.sock")) ?? "";
  assert.ok(dirname(socket).startsWith(mesh.home));
  const { request } = await import("node:http");
  return new Promise((resolve, reject) => {
    request({ socketPath: socket, path: "/metrics" }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve(text));
    })
      .on("error", reject)
      .end();
  });
}
