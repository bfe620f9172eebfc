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
      const args = [...flags, `--user-data-dir=${profile}`, "--virtual-time-budget=5000", "--dump-dom"];
      const url = mesh.controlFile().dashboardUrl;
      const wanted = [
        /aria-label="service default\/echo, 1 of 1 ready"/,
        /aria-label="default\/caller to default\/echo: [^"]*, mutual TLS"/,
        /spiffe:\/\/[^<]*\/ns\/default\/sa\/echo/,
        />v7</,
        /aria-label="identities"[^]*sa\/echo[^]*valid[^]*aria-label="events"/,
        /root: \d+/,
        /aria-label="events"[^]*IdentityRevoked[^]*sa\/nobody-we-know[^]*left on a train/,
      ];
      // The browser's own time goes on while the machine's answers are late, and callers are shown while they call.
      let page = "";
      await mesh
        .until("the page shows it all", async () => {
          await client.send("http://echo/");
          page = (await exec("chromium", [...args, url], { maxBuffer: 1 << 24, timeout: 120_000 })).stdout;
          return wanted.every((one) => one.test(page)) ? true : undefined;
        })
        .catch(() => undefined);
      for (const one of wanted) assert.match(page, one);
    } finally {
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
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
