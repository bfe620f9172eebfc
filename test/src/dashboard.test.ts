// The dashboard in a real browser: it shows the services of a real mesh.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import type { MirrorList } from "@ripstop/model";
import { Browser, needsBrowser } from "./browser.ts";
import { MeshClient } from "./http-client.ts";
import { Mesh } from "./mesh.ts";
import { echoServer } from "./programs.ts";

const exec = promisify(execFile);

/** A version that is not ready: it finds nothing. (Errors of its own would have it rest, and not be asked.) */
const unreadyServer = `
require("node:http").createServer((request, response) => {
  request.resume().on("end", () => response.writeHead(404).end("not ready"));
}).listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
`;

const mirrorRoute = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shadow, namespace: default}
spec:
  parentRefs: [{group: "", kind: Service, name: echo}]
  rules:
    - filters: [{type: RequestMirror, requestMirror: {backendRef: {name: echo-next, port: 80}}}]
      backendRefs: [{name: echo, port: 80}]
`;

describe("the dashboard", { skip: needsBrowser }, () => {
  const mesh = new Mesh();
  const browser = new Browser();
  let client: MeshClient;
  before(async () => {
    await mesh.startControl();
    mesh.ripstop([
      "run",
      "--service",
      "echo",
      "--label",
      "version=v7",
      "--port",
      "auto",
      "--",
      process.execPath,
      "--eval",
      echoServer,
    ]);
    client = await MeshClient.start(mesh, "caller");
    await mesh.until("echo answers", async () =>
      (await client.send("http://echo/")).status === 200 ? true : undefined,
    );
  });
  after(async () => {
    await mesh.stop();
    browser.close();
  });

  /** Looks until the page shows all of it: the browser's own time goes on while the machine's answers are late. */
  const showsAll = async (url: string, wanted: readonly RegExp[]): Promise<void> => {
    let page = "";
    await mesh
      .until("the page shows it all", async () => {
        // Callers are shown while they call.
        await client.send("http://echo/");
        page = await browser.documentOf(url, "--virtual-time-budget=5000");
        return wanted.every((one) => one.test(page)) ? true : undefined;
      })
      .catch(() => undefined);
    for (const one of wanted) assert.match(page, one);
  };

  it("shows the services, who calls whom, and that it is mutual TLS", async () => {
    for (let at = 0; at < 30; at++) await client.send("http://echo/");
    await mesh.until("the control plane has seen the traffic", async () => {
      const graph = JSON.parse((await mesh.api("GET", "/v1/graph")).body) as { edges: { requestsTotal: number }[] };
      return graph.edges.some((edge) => edge.requestsTotal >= 30) ? true : undefined;
    });
    await mesh.command(["identity", "revoke", "default/nobody-we-know", "--reason", "left on a train"]);
    const { output } = await mesh.command(["events", "--severity", "info"]);
    assert.match(output, /IdentityRevoked .*sa\/nobody-we-know .*left on a train/);
    await showsAll(mesh.controlFile().dashboardUrl, [
      /aria-label="service default\/echo, 1 of 1 ready"/,
      /aria-label="default\/caller to default\/echo: [^"]*, mutual TLS"/,
      /spiffe:\/\/[^<]*\/ns\/default\/sa\/echo/,
      />v7</,
      /aria-label="identities"[^]*sa\/echo[^]*valid[^]*aria-label="events"/,
      /root: \d+/,
      /aria-label="events"[^]*IdentityRevoked[^]*sa\/nobody-we-know[^]*left on a train/,
    ]);
  });

  it("puts a service and its mirror side by side on the service's page", async () => {
    const next = [process.execPath, "--eval", unreadyServer];
    mesh.ripstop(["run", "--service", "echo-next", "--port", "auto", "--", ...next]);
    await mesh.until("the next one answers", async () =>
      (await client.send("http://echo-next/")).status === 404 ? true : undefined,
    );
    const applied = await mesh.command(["apply", "-f", "-"], mirrorRoute);
    assert.equal(applied.code, 0, applied.output);
    // Bodies are looked at for one request in ten.
    const pair = await mesh.until("both have answered, and a body was looked at", async () => {
      await client.send("http://echo/");
      const { mirrors } = JSON.parse((await mesh.api("GET", "/v1/mirrors?together=true")).body) as MirrorList;
      return mirrors.find(({ compared, bodiesDiffer }) => compared >= 20 && bodiesDiffer > 0);
    });
    assert.deepEqual([pair.primary, pair.mirror], ["default/echo", "default/echo-next"]);
    assert.ok(pair.statusDiffers > 0);
    const table = /aria-label="default\/echo and its mirror default\/echo-next"/;
    const row = (name: string, ours: string, theirs: string): RegExp =>
      new RegExp(
        `${table.source}[^]*<td>${name}</td><td class="number">${ours}</td><td class="number[^"]*">${theirs}</td>`,
      );
    await showsAll(`${mesh.controlFile().dashboardUrl}#service=default%2Fecho`, [
      row("2xx", "[1-9][0-9.]* %", "0 %"),
      row("4xx", "0 %", "[1-9][0-9.]* %"),
      ...["p50", "p95", "p99"].map((name) => row(name, "[0-9.]+ m?s", "[0-9.]+ m?s")),
      /<td>other status<\/td><td [^>]*>[1-9][0-9,]* of [1-9][0-9,]*<\/td>/,
      /<td>other body<\/td><td [^>]*>[1-9][0-9,]* of [1-9][0-9,]*<\/td>/,
    ]);
    const { output } = await mesh.command(["mirror", "compare", "echo"]);
    assert.match(output, /^default\/echo and its mirror default\/echo-next: [0-9]+ requests compared$/m);
    assert.match(output, /^4xx +0\.0 % +[1-9][0-9.]* % +\+[1-9]/m);
    const json = await mesh.command(["mirror", "compare", "default/echo", "-o", "json"]);
    assert.equal((JSON.parse(json.output) as MirrorList["mirrors"])[0]?.mirror, "default/echo-next");
  });

  it("allows no write and no foreign host name on its loopback port", async () => {
    const { port } = new URL(mesh.controlFile().dashboardUrl);
    const write = await fetch(`http://127.0.0.1:${port}/v1/apply`, { method: "POST", body: "{}" });
    assert.ok(write.status >= 400, `POST answered ${write.status}`);
    const { stdout } = await exec("curl", [
      "-s",
      "-o",
      "/dev/null",
      "-w",
      "%{http_code}",
      "-H",
      "Host: attacker.example",
      `http://127.0.0.1:${port}/v1/graph`,
    ]);
    assert.ok(Number(stdout) >= 400, `a rebound host name got ${stdout}`);
  });
});
