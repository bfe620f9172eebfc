// `ripstop gateway --workers`: several processes behind the listeners of a Gateway, which share them, report as one, and stand
// in for each other.

import assert from "node:assert/strict";
import { request } from "node:https";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { TestAuthority } from "@ripstop/testkit";
import { freeOffset } from "./free-offset.ts";
import { Mesh, type Running } from "./mesh.ts";
import { isGone, isStopped } from "./process-state.ts";
import { echoServer } from "./programs.ts";

const PORTS = [443, 444, 445, 5432];

/** The Gateway with a listener on each of the ports, HTTPS or (5432) TCP, and routes for all of them. */
const manifest = (ports: readonly number[]): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: ripstop }
spec: { controllerName: ripstop.mesh/control }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: ripstop
  listeners: ${JSON.stringify(
    ports.map((port) => {
      if (port === 5432) return { name: "raw", port, protocol: "TCP" };
      const tls = { certificateRefs: [{ name: "certificate" }] };
      return { name: `https-${port}`, port, protocol: "HTTPS", tls };
    }),
  )}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: all }
spec:
  parentRefs: [{ name: edge }]
  rules: [{ backendRefs: [{ name: echo, port: 80 }] }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: { name: raw }
spec:
  parentRefs: [{ name: edge, sectionName: raw }]
  rules: [{ backendRefs: [{ name: echo, port: 80 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: echo }
spec: { selector: { app: echo }, ports: [{ port: 80 }] }
`;

interface Config {
  readonly workers: readonly number[];
}

describe("the processes of a gateway", () => {
  const mesh = new Mesh();
  let gateway: Running;
  let authority: TestAuthority;
  let offset = 0;
  let id = "";
  let answered = 0;

  const apply = async (text: string): Promise<void> => {
    const { code, output } = await mesh.command(["apply", "-f", "-", "--wait", "--timeout", "2m"], text);
    assert.equal(code, 0, output);
  };
  const secret = async (by: TestAuthority): Promise<string> => {
    const { chainPem, keyPem } = await by.issue("spiffe://outside/x", { uris: [], dnsNames: ["shop.example"] });
    const stringData = { "tls.crt": chainPem, "tls.key": keyPem };
    const metadata = { name: "certificate" };
    return `${JSON.stringify({ apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls", metadata, stringData })}\n`;
  };
  /** A request on a connection of its own; rejects when the certificate is none of `by`. */
  const ask = (port: number, by: TestAuthority = authority): Promise<number> =>
    new Promise((resolve, reject) => {
      const where = {
        host: "127.0.0.1",
        port: offset + port,
        servername: "shop.example",
        agent: false,
        ca: by.bundlePem,
      };
      const outgoing = request({ ...where, headers: { host: "shop.example" } }, (response) => {
        response.resume();
        response.on("error", reject);
        response.on("end", () => {
          answered++;
          resolve(response.statusCode ?? 0);
        });
      });
      outgoing.on("error", reject);
      outgoing.end();
    });
  /** So many processes, `gone` not among them. */
  const workers = (count: number, gone = 0): Promise<readonly number[]> =>
    mesh.until(`${count} workers`, async () => {
      const { code, output } = await mesh.command(["proxy", "show", id, "config", "-o", "json"]);
      const found = code === 0 ? (JSON.parse(output) as Config).workers : [];
      return found.length === count && !found.includes(gone) ? found : undefined;
    });
  /** Until `count` times a process has said that it listens there. */
  const listening = (port: number, count: number): Promise<true> =>
    mesh.until(`${count} processes listen on port ${port}`, () => {
      const said = gateway.output().match(new RegExp(`gateway listening.*127\\.0\\.0\\.1:${offset + port}\\b`, "g"));
      return said !== null && said.length >= count ? true : undefined;
    });
  /** Asks while only one process can answer, for each of the two. */
  const askEach = async (ports: readonly number[]): Promise<void> => {
    for (const stopped of await workers(2)) {
      process.kill(stopped, "SIGSTOP");
      try {
        await mesh.until("it stands still", () => (isStopped(stopped) ? true : undefined));
        await mesh.until("the other one reaches the service", async () =>
          (await ask(ports[0] ?? 0)) === 200 ? true : undefined,
        );
        for (const port of ports) for (let at = 0; at < 3; at++) assert.equal(await ask(port), 200);
      } finally {
        process.kill(stopped, "SIGCONT");
      }
    }
  };

  before(async () => {
    offset = await freeOffset(PORTS);
    authority = await TestAuthority.create("outside");
    await mesh.startControl();
    mesh.ripstop(["run", "--service", "echo", "--port", "auto", "--", process.execPath, "--eval", echoServer]);
    gateway = mesh.ripstop(["gateway", "edge", "--port-offset", String(offset), "--workers", "2"]);
    id = await mesh.until("the service and the gateway are ready", async () => {
      const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
        workloads: { id: string; service: string; ready: boolean }[];
      };
      if (workloads.length !== 2 || !workloads.every(({ ready }) => ready)) return undefined;
      return workloads.find(({ service }) => service === "edge-gateway")?.id;
    });
    await apply(await secret(authority));
    await apply(manifest([443]));
    await listening(443, 2);
    await mesh.until("the service answers", () =>
      ask(443).then(
        (status) => (status === 200 ? true : undefined),
        () => undefined,
      ),
    );
  });
  after(() => mesh.stop());

  it("each serve the listeners, those that are added later included", async () => {
    await askEach([443]);
    await apply(manifest([443, 444]));
    await listening(444, 2);
    await askEach([443, 444]);
  });

  it("report as one", async () => {
    const total = async (): Promise<number> => {
      const { output } = await mesh.command(["proxy", "show", id, "metrics"]);
      return output
        .split("\n")
        .filter((line) => line.startsWith("ripstop_requests_total{"))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
    };
    for (let at = 0; at < 20; at++) await ask(443);
    await mesh.until("the sum is that of all requests", async () => ((await total()) === answered ? true : undefined));
    await mesh.until("the control plane counts one proxy of each workload", async () => {
      const info = JSON.parse((await mesh.api("GET", "/v1/info")).body) as { readonly proxies: number };
      return info.proxies === 2 ? true : undefined;
    });
    await mesh.until("the Gateway is programmed", async () => {
      const { output } = await mesh.command(["get", "Gateway", "edge", "-o", "json"]);
      const { status } = JSON.parse(output) as { status: { conditions: { type: string; status: string }[] } };
      return status.conditions.find(({ type }) => type === "Programmed")?.status === "True" ? true : undefined;
    });
  });

  it("all show the new certificate once it is said to be live", async () => {
    const before = authority;
    authority = await TestAuthority.create("outside");
    await apply(await secret(authority));
    await askEach([443]);
    await assert.rejects(ask(443, before));
  });

  it("let no more connections through together than their shared limit", async () => {
    await apply(manifest([443, 444, 5432]));
    await listening(5432, 2);
    await apply(`
apiVersion: ripstop.mesh/v1alpha1
kind: RateLimitPolicy
metadata: { name: raw }
spec:
  targetRefs: [{ kind: Gateway, name: edge, sectionName: raw }]
  rules: [{ name: all, scope: Global, limit: { connections: 40, period: 24h } }]
`);
    const connects = (): Promise<boolean> =>
      new Promise((resolve) => {
        let answer = "";
        const socket = connect(offset + 5432, "127.0.0.1");
        socket.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
        socket.on("error", () => undefined);
        socket.on("close", () => resolve(answer.startsWith("HTTP/1.1 200")));
        socket.write("GET / HTTP/1.1\r\nhost: echo\r\nconnection: close\r\n\r\n");
      });
    // A day's limit gives nothing back while the test runs: what passes is shares alone.
    let passed = 0;
    for (let at = 0; at < 60; at++) if (await connects()) passed++;
    assert.ok(passed >= 10 && passed <= 40, String(passed));
    const described = await mesh.command(["proxy", "show", id, "metrics"]);
    assert.match(described.output, /ripstop_rate_limited_total\{[^}]*policy="default\/raw"[^}]*rule="all"/);
  });

  it("stand in for one that is killed, the lead included; the next lead opens and closes listeners", async () => {
    const [lead = 0] = await workers(2);
    assert.ok(lead > 0);
    process.kill(lead, "SIGKILL");
    await mesh.until("it is gone", () => (isGone(lead) ? true : undefined));
    // None is refused, whoever answers.
    for (let at = 0; at < 10; at++) await ask(443);
    await workers(2, lead);
    await listening(444, 3);
    await apply(manifest([443, 445]));
    await listening(445, 2);
    await askEach([443, 445]);
    await mesh.until("the port of the listener that is gone is closed", () =>
      ask(444).then(
        () => undefined,
        () => true,
      ),
    );
  });

  it("give way to new ones, and end in good order", async () => {
    const old = await workers(2);
    const { code, output } = await mesh.command(["proxy", "restart", id]);
    assert.equal(code, 0, output);
    for (let at = 0; at < 10; at++) await ask(445);
    await mesh.until("the old ones have ended", () => (old.every(isGone) ? true : undefined));
    await askEach([443, 445]);
    gateway.child.kill("SIGTERM");
    assert.equal(await gateway.ended, 0);
    await assert.rejects(ask(443));
  });
});
