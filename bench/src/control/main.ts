// npm run bench:control: a mesh of many services and simulated proxies over real streams on loopback. Prints tables of
// what the control plane costs, beside the goals. The proxies run on the same machine and share its processors.

import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { commandOptions, count, flag, text } from "@ripstop/testkit";
import { endChildrenWithUs } from "../processes.ts";
import { ControlPlane } from "./control-plane.ts";
import { controlReport } from "./control-report.ts";
import { flatRow, loneProxy, type FlatRow, type LoneProxy } from "./flat-run.ts";
import type { MeshShape } from "./mesh-shape.ts";
import { ProxyFleet } from "./proxy-fleet.ts";
import { seedHome } from "./seed-home.ts";
import { runSize, type SizeRun } from "./size-run.ts";

const { values } = commandOptions(
  {
    command: "npm run bench:control",
    about: "The control plane at size. The goals are set for 10000 services of 10 endpoints and 2000 proxies.",
  },
  {
    services: count(1_000, "services"),
    endpoints: count(10, "endpoints of each"),
    proxies: count(200, "simulated proxies"),
    uses: count(20, "services that each proxy uses"),
    rate: count(200, "endpoint changes a second"),
    seconds: count(10, "seconds at that rate"),
    documents: count(1_000, "documents of the large apply"),
    sizes: text("LIST", "sizes to compare the cost of one change at, instead of 100,1000,10000"),
    only: text("PART", "one part", ["size", "flat"]),
    flags: text("FLAGS", "flags for the control plane's Node, as --flags=--cpu-prof"),
    json: flag("figures as JSON"),
  },
);
const sizes = (values.sizes ?? "100,1000,10000").split(",").map(Number);
if (!sizes.every((size) => Number.isSafeInteger(size) && size >= 1)) {
  process.stderr.write(`--sizes takes whole numbers from 1, separated by commas, not "${values.sizes ?? ""}"\n`);
  process.exit(2);
}

async function measureSize(shape: MeshShape): Promise<SizeRun> {
  const home = mkdtempSync(join(tmpdir(), "ripstop-bench-control-"));
  const flags = (values.flags ?? "").split(" ").filter((one) => one !== "");
  const plane = new ControlPlane(home, flags);
  const fleet = new ProxyFleet(shape);
  try {
    await seedHome(home, shape);
    return await runSize(plane, fleet, {
      shape,
      singleChanges: 200,
      changesPerSecond: values.rate,
      seconds: values.seconds,
      documents: values.documents,
    });
  } finally {
    await fleet.stop();
    await plane.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const shape: MeshShape = {
    services: values.services,
    endpoints: values.endpoints,
    proxies: values.proxies,
    uses: values.uses,
    pool: values.services,
  };
  const loadBefore = loadavg()[0] ?? 0;
  const run = values.only === "flat" ? undefined : await measureSize(shape);
  const flat: FlatRow[] = [];
  const lone: LoneProxy[] = [];
  if (values.only !== "size") {
    for (const size of sizes) flat.push(await flatRow(size, 400));
    for (const size of [10, Math.max(...sizes)]) lone.push(await loneProxy(size));
  }
  process.stdout.write(
    values.json || run === undefined
      ? `${JSON.stringify({ shape, run, flat, lone, loadBefore }, undefined, 2)}\n`
      : controlReport({ shape, run, flat, lone, loadBefore }),
  );
}

endChildrenWithUs();
await main();
