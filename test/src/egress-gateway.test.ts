// The example of an egress gateway in a real mesh: two proxies of `ripstop gateway`, a workload that calls through them, and
// servers outside that nobody of the mesh calls directly.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { TestAuthority } from "@ripstop/testkit";
import { freeOffset } from "./free-offset.ts";
import { Mesh, root, type Running } from "./mesh.ts";

const example = readFileSync(join(root, "examples/egress-gateway/egress.yaml"), "utf8");
const HTTP_HOST = "api.payments.example";
const TCP_HOST = "ledger.bank.example";
const LISTENER = 15_008;
/** Says where its proxy is, and stays. */
const application = `console.log("proxy " + process.env.HTTP_PROXY); setInterval(() => {}, 1e6); process.on("SIGTERM", () => process.exit(0));`;

interface Seen {
  readonly service: string;
  readonly host: string;
  readonly port: number;
  readonly protocol: string;
  readonly gateway?: string;
  readonly count: number;
  readonly denied: number;
}

function listening(server: Server | HttpsServer): Promise<number> {
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)));
}

describe("the example of an egress gateway", () => {
  const mesh = new Mesh();
  /** "SERVER-NAME HOST" of each request that came to the HTTPS server outside. */
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const gateways: Running[] = [];
  let secure: HttpsServer;
  let raw: Server;
  let policy: string;
  let proxyPort: number;

  async function apply(text: string): Promise<void> {
    const applied = await mesh.command(["apply", "-f", "-", "--wait", "--timeout", "2m"], text);
    assert.equal(applied.code, 0, applied.output);
  }

  /** A request through the proxy of web. */
  function ask(path: string): Promise<{ readonly status: number; readonly body: string }> {
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest({
        host: "127.0.0.1",
        port: proxyPort,
        path: `http://${HTTP_HOST}${path}`,
        headers: { host: HTTP_HOST },
        agent: false,
      });
      outgoing.on("error", reject);
      outgoing.on("response", (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      });
      outgoing.end();
    });
  }

  /** A raw connection through the proxy of web, and what it says until it ends; undefined when it is refused at once. */
  function callRaw(text: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      const path = `${TCP_HOST}:7000`;
      const outgoing = httpRequest({
        host: "127.0.0.1",
        port: proxyPort,
        method: "CONNECT",
        path,
        headers: { host: path },
        agent: false,
      });
      outgoing.on("error", () => resolve(undefined));
      outgoing.on("connect", ({ statusCode }, socket, head) => {
        let said = head.toString();
        if (statusCode !== 200) {
          socket.destroy();
          resolve(undefined);
          return;
        }
        socket.on("data", (chunk: Buffer) => (said += chunk.toString()));
        socket.on("error", () => undefined);
        socket.on("close", () => resolve(said));
        socket.write(text);
      });
      outgoing.end();
    });
  }

  async function startGateway(): Promise<void> {
    const offset = await freeOffset([LISTENER]);
    const gateway = mesh.ripstop(["gateway", "egress", "--namespace", "infra", "--port-offset", String(offset)]);
    gateways.push(gateway);
    await gateway.printed(new RegExp(`gateway listening.*127.0.0.1:${LISTENER + offset}\\b`));
  }

  async function seen(): Promise<readonly Seen[]> {
    const printed = await mesh.command(["egress", "seen", "-o", "json"]);
    assert.equal(printed.code, 0, printed.output);
    return JSON.parse(printed.output) as Seen[];
  }

  async function conditions(): Promise<string> {
    const printed = await mesh.command(["get", "ExternalService", "payments", "-n", "shop", "-o", "json"]);
    return printed.output;
  }

  before(async () => {
    const authority = await TestAuthority.create("outside");
    const { chainPem, keyPem } = await authority.issue("spiffe://outside/x", { uris: [], dnsNames: [HTTP_HOST] });
    secure = createHttpsServer({ cert: chainPem, key: keyPem }, (request, response) => {
      const { servername } = request.socket as TLSSocket & { servername: string };
      asked.push(`${servername} ${String(request.headers.host)}`);
      response.end(`outside ${String(request.url)}`);
    });
    raw = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
      socket.on("data", (chunk) => socket.end(`ledger got ${chunk.toString()}`));
    });
    const [securePort, rawPort] = [await listening(secure), await listening(raw)];
    await mesh.startControl();
    const web = mesh.ripstop([
      "run",
      "--namespace",
      "shop",
      "--service",
      "web",
      "--",
      process.execPath,
      "--eval",
      application,
    ]);
    proxyPort = Number((await web.printed(/proxy http:\/\/[^:]+:(\d+)/))[1]);
    const documents = example.split(/^---\n/m);
    policy = documents.find((one) => one.includes("kind: AuthorizationPolicy")) ?? "";
    const changed = example
      .replace(`hosts: [${HTTP_HOST}]`, `hosts: [${HTTP_HOST}]\n  resolution: Static\n  addresses: [127.0.0.1]`)
      .replace("targetPort: 443", `targetPort: ${securePort}`)
      .replace("tls: {}", `tls: { caCertificates: ${JSON.stringify(authority.bundlePem)} }`)
      .replace("addresses: [192.0.2.10, 192.0.2.11]", "addresses: [127.0.0.1]")
      .replace("protocol: TCP", `protocol: TCP\n      targetPort: ${rawPort}`);
    await apply(changed);
    await startGateway();
    await startGateway();
  });

  after(async () => {
    await mesh.stop();
    for (const socket of sockets) socket.destroy();
    secure.closeAllConnections();
    await Promise.all([secure, raw].map((server) => new Promise((resolve) => server.close(resolve))));
  });

  it("leads HTTP out over TLS, once a proxy is there", async () => {
    const answer = await mesh.until("the host outside answers", async () => {
      const one = await ask("/charge");
      return one.status === 200 ? one : undefined;
    });
    assert.equal(answer.body, "outside /charge");
    assert.deepEqual([...new Set(asked)], [`${HTTP_HOST} ${HTTP_HOST}`]);
    await mesh.until("the status says so", async () =>
      (await conditions()).includes("callers reach it through Gateway infra/egress") ? true : undefined,
    );
  });

  it("leads TCP out", async () => {
    const said = await mesh.until("the host outside answers", async () => {
      const one = await callRaw("7 coins");
      return one === undefined || one === "" ? undefined : one;
    });
    assert.equal(said, "ledger got 7 coins");
  });

  it("shows both hops in the graph, and who called what in the list", async () => {
    const edges = await mesh.until("both hops of both protocols are in the graph", async () => {
      const graph = JSON.parse((await mesh.api("GET", "/v1/graph")).body) as {
        edges: { source: string; destination: string; protocol: string; mutualTls: boolean }[];
      };
      const hop = (source: string, destination: string, protocol: string) =>
        graph.edges.find(
          (edge) => edge.source === source && edge.destination === destination && edge.protocol === protocol,
        );
      const all = [
        hop("shop/web", "infra/egress-gateway", "http"),
        hop("shop/web", "infra/egress-gateway", "tcp"),
        hop("infra/egress-gateway", `shop/payments.external.${HTTP_HOST}`, "http"),
        hop("infra/egress-gateway", `shop/mainframe.external.${TCP_HOST}`, "tcp"),
      ];
      return all.includes(undefined) ? undefined : all;
    });
    assert.deepEqual(
      edges.map((edge) => edge?.mutualTls),
      [true, true, false, false],
    );
    const listed = await mesh.until("the list has both", async () => {
      const rows = await seen();
      return rows.length >= 2 ? rows : undefined;
    });
    assert.deepEqual(
      listed.map(({ service, host, port, protocol, gateway }) => [service, host, port, protocol, gateway]),
      [
        ["shop/web", HTTP_HOST, 80, "http", "infra/egress"],
        ["shop/web", TCP_HOST, 7000, "tcp", "infra/egress"],
      ],
    );
  });

  it("refuses by who calls, with the policy's name", async () => {
    const before = asked.length;
    await apply(policy.replace("shop/web", "shop/other"));
    const refused = await ask("/charge");
    assert.equal(refused.status, 403, refused.body);
    assert.match(refused.body, /infra\/who-may-leave/);
    assert.ok(["", undefined].includes(await callRaw("7 coins")));
    assert.equal(asked.length, before);
    await apply(policy);
    assert.equal((await ask("/charge")).status, 200);
  });

  it("loses no request when a proxy is replaced by a new process", async () => {
    const [first] = gateways;
    assert.ok(first);
    let isOver = false;
    const said = first.printed(/the proxy was [^\n]*/).then(([line]) => {
      isOver = true;
      return line;
    });
    first.child.kill("SIGUSR2");
    for (let more = 5; more > 0; more -= isOver ? 1 : 0) {
      const answer = await ask("/charge");
      assert.equal(answer.status, 200, answer.body);
    }
    assert.match(await said, /was replaced by a new process/);
  });

  it("loses no request when one of its proxies ends", async () => {
    const [first] = gateways;
    assert.ok(first);
    let isOver = false;
    first.child.kill("SIGTERM");
    const ended = first.ended.then((code) => {
      isOver = true;
      return code;
    });
    for (let more = 5; more > 0; more -= isOver ? 1 : 0) {
      const answer = await ask("/charge");
      assert.equal(answer.status, 200, answer.body);
    }
    assert.equal(await ended, 0);
  });

  it("is not gone past when no proxy is left: the refusal says so, and the status", async () => {
    const [, second] = gateways;
    assert.ok(second);
    second.child.kill("SIGTERM");
    assert.equal(await second.ended, 0);
    const before = asked.length;
    const refused = await mesh.until("the calls are refused for want of a proxy", async () => {
      const one = await ask("/charge");
      assert.notEqual(one.status, 200);
      return one.body.includes("RS1086") ? one : undefined;
    });
    assert.match(
      refused.body,
      /reached through Gateway infra\/egress only: no proxy of Gateway infra\/egress is ready/,
    );
    assert.equal(await callRaw("7 coins"), undefined);
    assert.equal(asked.length, before);
    await mesh.until("the status says so", async () =>
      (await conditions()).includes("NoInstance") ? true : undefined,
    );
  });
});
