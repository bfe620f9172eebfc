import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readShop, runArguments } from "./shop-manifest.ts";

describe("the shop's manifest", () => {
  it("is found from the built program, and names programs that are there", () => {
    const shop = readShop(undefined);
    assert.ok(shop.ok, JSON.stringify(shop));
    assert.ok(shop.value.workloads.length >= 8);
  });

  it("becomes the arguments of ripstop run", () => {
    const shop = { directory: "/shop", namespace: "shop", resources: [], workloads: [] };
    const workload = {
      name: "web",
      service: "web",
      labels: { version: "v1" },
      protocol: "http",
      servicePort: 80,
      upstreams: ["stock"],
      command: ["node", "web.js"],
    };
    const text = runArguments(shop, workload, "/home").join(" ");
    assert.ok(
      text.startsWith("run --home /home --service web --namespace shop --port auto --service-port 80 --protocol http"),
    );
    assert.ok(text.includes("--label version=v1 --upstream stock"));
    assert.ok(text.endsWith(`-- ${process.execPath} web.js`));
  });

  it("gives a program without a service port no port", () => {
    const shop = { directory: "/shop", namespace: "shop", resources: [], workloads: [] };
    assert.equal(runArguments(shop, { name: "a", service: "a", command: ["./a"] }, "/home").includes("--port"), false);
  });

  it("is refused with a sentence when it is missing or has another shape", () => {
    const folder = mkdtempSync(join(tmpdir(), "ripstop-test-"));
    const missing = readShop(folder);
    assert.ok(!missing.ok && missing.error.includes("shop.json"));
    writeFileSync(join(folder, "shop.json"), '{"namespace":"shop"}');
    const malformed = readShop(folder);
    assert.ok(!malformed.ok && malformed.error.includes("has no"));
    rmSync(folder, { recursive: true });
  });
});
