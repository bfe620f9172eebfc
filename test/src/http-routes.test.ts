// The example of docs/http-routes.md in a real mesh: each of its filters, the retry and the shares, by real processes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { MeshClient, type Answer } from "./http-client.ts";
import { Mesh, root, type Running } from "./mesh.ts";

/** Says what it was asked, on standard output too; the first request for a path with "flaky" fails. */
const catalog = `
const failed = new Set();
require("node:http").createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => (body += chunk));
  request.on("end", () => {
    const asked = request.method + " " + request.headers.host + request.url + " " + body;
    console.log("asked " + asked);
    if (request.url.includes("flaky") && !failed.has(request.url)) { failed.add(request.url); response.statusCode = 500; }
    response.end(asked);
  });
}).listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
`;

describe("the example of docs/http-routes.md", () => {
  const mesh = new Mesh();
  let next: Running;
  let client: MeshClient;

  const send = (path: string, options: Parameters<MeshClient["send"]>[1] = {}): Promise<Answer> =>
    client.send(`http://catalog.shop${path}`, options);

  before(async () => {
    await mesh.startControl();
    const run = (service: string): Running =>
      mesh.ripstop([
        "run",
        "--namespace",
        "shop",
        "--service",
        service,
        "--port",
        "auto",
        "--",
        process.execPath,
        "--eval",
        catalog,
      ]);
    run("catalog");
    next = run("catalog-next");
    await mesh.until("both services are ready", async () => {
      const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
        workloads: { ready: boolean }[];
      };
      return workloads.length === 2 && workloads.every(({ ready }) => ready) ? true : undefined;
    });
    client = await MeshClient.start(mesh, "web", ["--namespace", "shop"]);
    const page = readFileSync(join(root, "docs/http-routes.md"), "utf8");
    const yaml = /^```yaml\n(.*?)^```/ms.exec(page)?.[1] ?? "";
    const applied = await mesh.command(["apply", "-f", "-", "--wait", "--timeout", "2m"], yaml);
    assert.equal(applied.code, 0, applied.output);
    await mesh.until("the route is in force", async () => ((await send("/old")).status === 308 ? true : undefined));
  });
  after(() => mesh.stop());

  it("redirects what moved, with its query", async () => {
    const moved = await send("/old/1?full=yes");
    assert.equal(moved.status, 308);
    assert.equal(moved.headers["location"], "http://catalog.shop/books/1?full=yes");
  });

  it("rewrites host and path, and mirrors the same with its body", async () => {
    const answer = await send("/api/books?q=1", { method: "POST", body: "new book" });
    assert.deepEqual([answer.status, answer.body], [200, "POST internal.shop.example/v2/books?q=1 new book"]);
    await next.printed(/asked POST internal\.shop\.example\/v2\/books\?q=1 new book/);
  });

  it("shows how the mirror compares with the service", async () => {
    const row = await mesh.until("the comparison is there", async () => {
      const { code, output } = await mesh.command(["mirror", "status", "-o", "json"]);
      assert.equal(code, 0, output);
      return (JSON.parse(output) as { mirror: string; compared: number; statusDiffers: number }[]).find(
        ({ mirror, compared }) => mirror === "shop/catalog-next" && compared > 0,
      );
    });
    assert.equal(row.statusDiffers, 0);
    assert.match((await mesh.command(["mirror", "status"])).output, /shop\/web +shop\/catalog +shop\/catalog-next/);
  });

  it("tries a listed status again, and the client sees nothing of it", async () => {
    const answer = await send("/api/flaky", { method: "POST", body: "once" });
    assert.deepEqual([answer.status, answer.body], [200, "POST internal.shop.example/v2/flaky once"]);
  });

  it("answers preflights and marks responses for the listed origins alone", async () => {
    const origin = "https://eu.shop.example";
    const preflight = await send("/api/books", {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "PUT", "access-control-request-headers": "x-token" },
    });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers["access-control-allow-origin"], origin);
    assert.equal(preflight.headers["access-control-allow-methods"], "GET, PUT, DELETE");
    const proper = await send("/api/books", { headers: { origin } });
    assert.equal(proper.headers["access-control-allow-origin"], origin);
    assert.equal(proper.headers["access-control-allow-credentials"], "true");
    const other = await send("/api/books", { headers: { origin: "https://evil.example" } });
    assert.deepEqual([other.status, other.headers["access-control-allow-origin"]], [200, undefined]);
  });

  it("marks the share of one backend by the filter of that backend", async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, (_, at) => send(`/rest/${at}`)));
    assert.ok(answers.every(({ status }) => status === 200));
    const marked = answers.filter(({ headers }) => headers["x-served-by"] === "catalog-next");
    assert.ok(marked.length > 0 && marked.length < 100, `${marked.length} of 200`);
    const asked = (): number => [...next.output().matchAll(/asked GET catalog\.shop\/rest\//g)].length;
    // What it prints takes its own way here.
    await mesh.until("all that it was asked is printed", () => (asked() >= marked.length ? true : undefined));
    assert.equal(asked(), marked.length);
  });
});
