// The dashboard in a real browser: it shows the services of a real mesh.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { MeshClient } from "./http-client.ts";
import { Mesh } from "./mesh.ts";
import { echoServer } from "./programs.ts";
import { needsProgram } from "./requirements.ts";

const exec = promisify(execFile);

describe("the dashboard", { skip: needsProgram("chromium", "apt-get install chromium") }, () => {
  const mesh = new Mesh();
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
  after(() => mesh.stop());

  it("shows the services, who calls whom, and that it is mutual TLS", async () => {
    for (let at = 0; at < 30; at++) await client.send("http://echo/");
    await mesh.until("the control plane has seen the traffic", async () => {
      const graph = JSON.parse((await mesh.api("GET", "/v1/graph")).body) as { edges: { requestsTotal: number }[] };
      return graph.edges.some((edge) => edge.requestsTotal >= 30) ? true : undefined;
    });
    await mesh.command(["identity", "revoke", "default/nobody-we-know", "--reason", "left on a train"]);
    const profile = mkdtempSync(join(tmpdir(), "ripstop-browser-"));
    try {
      const flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ];
      const { stdout } = await exec(
        "chromium",
        [
          ...flags,
          `--user-data-dir=${profile}`,
          "--virtual-time-budget=5000",
          "--dump-dom",
          mesh.controlFile().dashboardUrl,
        ],
        { maxBuffer: 1 << 24 },
      );
      assert.match(stdout, /aria-label="service default\/echo, 1 of 1 ready"/);
      assert.match(stdout, /aria-label="default\/caller to default\/echo: [^"]*, mutual TLS"/);
      assert.match(stdout, /spiffe:\/\/[^<]*\/ns\/default\/sa\/echo/);
      assert.match(stdout, />v7</);
      assert.match(stdout, /aria-label="identities"[^]*sa\/echo[^]*valid[^]*aria-label="events"/);
      assert.match(stdout, /root: \d+/);
      assert.match(stdout, /aria-label="events"[^]*IdentityRevoked[^]*sa\/nobody-we-know[^]*left on a train/);
    } finally {
      rmSync(profile, { recursive: true, force: true });
    }
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
