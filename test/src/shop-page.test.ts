// The demo shop's page in a real browser, through the mesh: HTTP, HTTP/2, gRPC, WebSocket and raw TCP behind one load.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Browser, needsBrowser } from "./browser.ts";
import { Mesh } from "./mesh.ts";
import { portPrinter } from "./peer-programs.ts";

describe("the shop's page", { skip: needsBrowser }, () => {
  const mesh = new Mesh();
  const browser = new Browser();
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
    const shopper = mesh.ripstop([
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
    const [line] = await shopper.printed(/^\{"ports".*\}$/m);
    ({ proxy } = JSON.parse(line) as { proxy: string });
  });
  after(async () => {
    await mesh.stop();
    browser.close();
  });

  it("loads in Chromium with all of its parts", async () => {
    // One instance of the reviews fails every third request, and retries hide most of it, not all.
    const document = await mesh.until("a page without a failed part", async () => {
      const loaded = await browser.documentOf("http://web/", `--proxy-server=${proxy}`);
      return loaded.includes('class="bad"') ? undefined : loaded;
    });
    for (const part of ["Catalog", "Review", "Stock", "Order", "Chat"])
      assert.match(document, new RegExp(`<h2>${part} `), part);
    assert.match(document, /from catalog v[12]/);
    assert.match(document, /copies on the shelf/);
  });

  it("is drawn by the dashboard with no label over another", async () => {
    await mesh.until("the control plane has seen who calls whom", async () => {
      const { edges } = JSON.parse((await mesh.api("GET", "/v1/graph")).body) as { edges: unknown[] };
      return edges.length >= 6 ? true : undefined;
    });
    const document = await browser.documentOf(mesh.controlFile().dashboardUrl, "--virtual-time-budget=5000");
    const labels = [
      ...document.matchAll(
        /class="label" transform="translate\(([-\d.]+) ([-\d.]+)\)"><rect [^>]*width="(\d+)" height="(\d+)"/g,
      ),
    ].map((found) => found.slice(1).map(Number) as [number, number, number, number]);
    assert.ok(labels.length >= 6, `${labels.length} labels`);
    for (const [at, [x, y, width, height]] of labels.entries())
      for (const [otherX, otherY] of labels.slice(at + 1))
        assert.ok(Math.abs(x - otherX) >= width || Math.abs(y - otherY) >= height, `${x} ${y} and ${otherX} ${otherY}`);
  });
});
