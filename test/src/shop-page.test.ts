// The demo shop's page in a real browser, through the mesh: HTTP, HTTP/2, gRPC, WebSocket and raw TCP behind one load.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { Mesh } from "./mesh.ts";
import { portPrinter } from "./peer-programs.ts";
import { needsProgram } from "./requirements.ts";

const exec = promisify(execFile);

describe("the shop's page", { skip: needsProgram("chromium", "apt-get install chromium") }, () => {
  const mesh = new Mesh();
  const profile = mkdtempSync(join(tmpdir(), "ripstop-browser-"));
  let proxy = "";

  before(async () => {
    mesh.ripstop(["up", "--shop", "--home", mesh.home]);
    await mesh.until("all of the shop is ready", async () => {
      try {
        const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
          workloads: { id: string; ready: boolean }[];
        };
        return workloads.length >= 10 && workloads.every((workload) => workload.ready) ? true : undefined;
      } catch {
        return undefined;
      }
    });
    // The shop lets in its own people only: the browser goes in for the shopper.
    const browser = mesh.ripstop([
      "run",
      "--namespace",
      "shop",
      "--service",
      "browser",
      "--service-account",
      "shopper",
      "--",
      process.execPath,
      "--eval",
      portPrinter,
    ]);
    const [line] = await browser.printed(/^\{"ports".*\}$/m);
    ({ proxy } = JSON.parse(line) as { proxy: string });
  });
  after(async () => {
    await mesh.stop();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  });

  it("loads in Chromium with all of its parts", async () => {
    const args = [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--user-data-dir=${profile}`,
      `--proxy-server=${proxy}`,
      "--dump-dom",
      "http://web/",
    ];
    // One instance of the reviews fails every third request, and retries hide most of it, not all.
    const stdout = await mesh.until("a page without a failed part", async () => {
      const loaded = (await exec("chromium", args, { maxBuffer: 1 << 24, timeout: 120_000 })).stdout;
      return loaded.includes('class="bad"') ? undefined : loaded;
    });
    for (const part of ["Catalog", "Review", "Stock", "Order", "Chat"])
      assert.match(stdout, new RegExp(`<h2>${part} `), part);
    assert.match(stdout, /from catalog v[12]/);
    assert.match(stdout, /copies on the shelf/);
  });
});
