// The example of docs/gateway.md in a real mesh: control plane, `ripstop gateway`, a service behind its own proxy, and clients
// outside of the mesh.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TestAuthority } from "@ripstop/testkit";
import { freeOffset } from "./free-offset.ts";
import { Mesh, root, type Running } from "./mesh.ts";

const catalog = `
require("node:http").createServer((request, response) => {
  response.end(JSON.stringify({ url: request.url, headers: request.headers }));
}).listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
`;

const example = /^```yaml\n(.*?)^```/ms.exec(readFileSync(join(root, "docs/gateway.md"), "utf8"))?.[1] ?? "";

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

describe("the example of docs/gateway.md", () => {
  const mesh = new Mesh();
  let offset: number;
  let gateway: Running;
  let authority: TestAuthority;

  async function apply(text: string): Promise<string> {
    const applied = await mesh.command(["apply", "-f", "-", "--wait", "--timeout", "2m"], text);
    assert.equal(applied.code, 0, applied.output);
    return applied.output;
  }

  async function secret(by: TestAuthority): Promise<string> {
    const { chainPem, keyPem } = await by.issue("spiffe://outside/x", { uris: [], dnsNames: ["*.shop.example"] });
    const data = { "tls.crt": chainPem, "tls.key": keyPem };
    const metadata = { name: "shop-certificate", namespace: "infra" };
    return JSON.stringify({ apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls", metadata, stringData: data });
  }

  function ask(
    path: string,
    parts: { readonly host?: string; readonly secure?: TestAuthority; readonly agent?: Agent },
  ) {
    const { host = "www.shop.example", secure, agent } = parts;
    const common = { host: "127.0.0.1", path, headers: { host } };
    return new Promise<Answer>((resolve, reject) => {
      const outgoing =
        secure === undefined
          ? httpRequest({ ...common, port: offset + 80, agent: false })
          : httpsRequest({
              ...common,
              port: offset + 443,
              servername: "www.shop.example",
              ca: secure.bundlePem,
              agent: agent ?? false,
            });
      outgoing.on("error", reject);
      outgoing.on("response", (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      });
      outgoing.end();
    });
  }

  before(async () => {
    offset = await freeOffset([80, 443]);
    authority = await TestAuthority.create("outside");
    await mesh.startControl();
    mesh.ripstop([
      ...["run", "--namespace", "shop", "--service", "catalog", "--port", "auto", "--", process.execPath, "--eval"],
      catalog,
    ]);
    gateway = mesh.ripstop(["gateway", "edge", "--namespace", "infra", "--port-offset", String(offset)]);
    await mesh.until("the service and the gateway are ready", async () => {
      const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
        workloads: { ready: boolean }[];
      };
      return workloads.length === 2 && workloads.every(({ ready }) => ready) ? true : undefined;
    });
    await apply(await secret(authority));
    await apply(example);
    for (const port of [80, 443]) await gateway.printed(new RegExp(`gateway listening.*127.0.0.1:${offset + port}\\b`));
  });
  after(() => mesh.stop());

  it("redirects HTTP to HTTPS", async () => {
    const moved = await ask("/books/1?full=yes", {});
    assert.equal(moved.status, 301);
    assert.equal(moved.headers.location, "https://www.shop.example/books/1?full=yes");
  });

  it("carries HTTPS to the service, over mutual TLS under its own identity", async () => {
    const answer = await mesh.until("the service answers", async () => {
      const one = await ask("/books/1?full=yes", { secure: authority });
      return one.status === 200 ? one : undefined;
    });
    const { url, headers } = JSON.parse(answer.body) as { url: string; headers: Record<string, string> };
    assert.equal(url, "/books/1?full=yes");
    assert.equal(headers["x-ripstop-source-identity"], "spiffe://mesh.local/ns/infra/sa/gateway");
    assert.match(headers["x-forwarded-for"] ?? "", /^127\.0\.0\.1, /);
    assert.equal(headers["x-forwarded-proto"], "https");
    assert.equal(headers["x-forwarded-port"], "443");
    assert.equal((await ask("/other", { secure: authority })).status, 404);
    assert.equal((await ask("/books", { secure: authority, host: "other.example" })).status, 404);
  });

  it("exchanges the certificate without closing a connection, when the Secret changes", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      assert.equal((await ask("/books", { secure: authority, agent })).status, 200);
      const [before] = Object.values(agent.freeSockets).flat();
      const other = await TestAuthority.create("outside");
      await apply(await secret(other));
      await mesh.until("the new certificate is shown", () =>
        ask("/books", { secure: other }).then(
          ({ status }) => (status === 200 ? true : undefined),
          () => undefined,
        ),
      );
      assert.equal((await ask("/books", { secure: authority, agent })).status, 200);
      assert.equal(Object.values(agent.freeSockets).flat()[0], before);
      authority = other;
    } finally {
      agent.destroy();
    }
  });

  it("breaks requests of the route that a fault names, until one command ends all faults", async () => {
    await apply(`
apiVersion: ripstop.mesh/v1alpha1
kind: FaultInjection
metadata: { name: teapot, namespace: shop }
spec:
  targetRefs: [{ kind: HTTPRoute, name: catalog }]
  expires: "2099-01-31T18:00:00Z"
  rules: [{ abort: { httpStatus: 418 } }]
`);
    const broken = await ask("/books/1", { secure: authority });
    assert.equal(broken.status, 418);
    assert.equal(broken.headers["x-ripstop-error"], "RS1270");
    assert.equal((await ask("/other", { secure: authority })).status, 404);
    assert.match((await mesh.command(["fault", "list"])).output, /HTTPRoute\/catalog/);
    const stopped = await mesh.command(["fault", "stop", "--all", "--timeout", "2m"]);
    assert.equal(stopped.code, 0, stopped.output);
    assert.equal((await ask("/books/1", { secure: authority })).status, 200);
  });

  it("tells in its status where it listens, and never prints a key", async () => {
    const described = await mesh.command(["get", "Gateway", "-n", "infra", "-o", "json"]);
    assert.match(described.output, /Programmed/);
    const secrets = await mesh.command(["get", "Secret", "-n", "infra", "-o", "yaml"]);
    assert.doesNotMatch(secrets.output + gateway.output(), /PRIVATE KEY/);
  });

  it("is replaced by a new process without a refused connection", async () => {
    let over = false;
    const said = gateway.printed(/the proxy was [^\n]*/).then(([line]) => {
      over = true;
      return line;
    });
    gateway.child.kill("SIGUSR2");
    while (!over) assert.equal((await ask("/books/1", { secure: authority })).status, 200);
    assert.match(await said, /was replaced by a new process/);
    for (let more = 0; more < 5; more++) assert.equal((await ask("/books/1", { secure: authority })).status, 200);
  });

  it("closes the port of a listener that is removed, also one that was taken over", async () => {
    const gatewayOnly = example.split(/^---\n/m).find((one) => one.includes("kind: Gateway\n")) ?? "";
    const without = gatewayOnly.replace(/    - name: http\n.*?(?=    - name: https)/s, "");
    assert.notEqual(without, gatewayOnly);
    await apply(without);
    await mesh.until("the port is closed", () =>
      ask("/", {}).then(
        () => undefined,
        () => true,
      ),
    );
    assert.equal((await ask("/books/1", { secure: authority })).status, 200);
  });

  it("ends in good order", async () => {
    gateway.child.kill("SIGTERM");
    assert.equal(await gateway.ended, 0);
    await assert.rejects(ask("/", {}));
  });
});
