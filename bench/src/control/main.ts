// npm run bench:control: a mesh of many services and simulated proxies over real streams on loopback. Prints tables of
// what the control plane costs, beside the goals. The proxies run on the same machine and share its processors.

import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { endChildrenWithUs } from "../processes.ts";
import { ControlPlane } from "./control-plane.ts";
import { controlReport } from "./control-report.ts";
import { flatRow, loneProxy, type FlatRow, type LoneProxy } from "./flat-run.ts";
import type { MeshShape } from "./mesh-shape.ts";
import { ProxyFleet } from "./proxy-fleet.ts";
import { seedHome } from "./seed-home.ts";
import { runSize, type SizeRun } from "./size-run.ts";

const HELP = `npm run bench:control -- [options]
  --services N    services (1000); the goals are set for 10000
  --endpoints N   endpoints of each (10)
  --proxies N     simulated proxies (200); the goals are set for 2000
  --uses N        services that each proxy uses (20)
  --rate N        endpoint changes a second (200)
  --seconds N     seconds at that rate (10)
  --documents N   documents of the large apply (1000)
  --sizes LIST    sizes to compare the cost of one change at (100,1000,10000)
  --only PART     "size" or "flat"
  --flags FLAGS   flags for the control plane's Node, as --flags=--cpu-prof
  --json          figures as JSON
`;

const number = (fallback: string): { readonly type: "string"; readonly default: string } => ({
  type: "string",
  default: fallback,
});
const { values } = parseArgs({
  options: {
    services: number("1000"),
    endpoints: number("10"),
    proxies: number("200"),
    uses: number("20"),
    rate: number("200"),
    seconds: number("10"),
    documents: number("1000"),
    sizes: number("100,1000,10000"),
    only: { type: "string" },
    flags: { type: "string", default: "" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

async function measureSize(shape: MeshShape): Promise<SizeRun> {
  const home = mkdtempSync(join(tmpdir(), "ripstop-bench-control-"));
  const flags = values.flags.split(" ").filter((flag) => flag !== "");
  const plane = new ControlPlane(home, flags);
  const fleet = new ProxyFleet(shape);
  try {
    await seedHome(home, shape);
    return await runSize(plane, fleet, {
      shape,
      singleChanges: 200,
      changesPerSecond: Number(values.rate),
      seconds: Number(values.seconds),
      documents: Number(values.documents),
    });
  } finally {
    await fleet.stop();
    await plane.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const shape: MeshShape = {
    services: Number(values.services),
    endpoints: Number(values.endpoints),
    proxies: Number(values.proxies),
    uses: Number(values.uses),
    pool: Number(values.services),
  };
  const loadBefore = loadavg()[0] ?? 0;
  const run = values.only === "flat" ? undefined : await measureSize(shape);
  const flat: FlatRow[] = [];
  const lone: LoneProxy[] = [];
  if (values.only !== "size") {
    const sizes = values.sizes.split(",").map(Number);
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
if (values.help) process.stdout.write(HELP);
else await main();
