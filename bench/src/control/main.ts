// npm run bench:control: a mesh of many services and simulated proxies over real streams on loopback. Prints tables of
// what the control plane costs, beside the goals. The proxies run on the same machine and share its processors.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { endChildrenWithUs } from "../processes.ts";
import { ControlPlane } from "./control-plane.ts";
import type { MeshShape } from "./mesh-shape.ts";
import { ProxyFleet } from "./proxy-fleet.ts";
import { seedHome } from "./seed-home.ts";
import { runSize } from "./size-run.ts";

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
    flags: { type: "string", default: "" },
    json: { type: "boolean", default: false },
  },
});

const shape: MeshShape = {
  services: Number(values.services),
  endpoints: Number(values.endpoints),
  proxies: Number(values.proxies),
  uses: Number(values.uses),
  pool: Number(values.services),
};
endChildrenWithUs();
const home = mkdtempSync(join(tmpdir(), "ripstop-bench-control-"));
const plane = new ControlPlane(
  home,
  values.flags.split(" ").filter((flag) => flag !== ""),
);
const fleet = new ProxyFleet(shape);
try {
  const startMs = performance.now();
  await seedHome(home, shape);
  process.stderr.write(`seeded in ${(performance.now() - startMs).toFixed(0)} ms\n`);
  const run = await runSize(plane, fleet, {
    shape,
    singleChanges: 200,
    changesPerSecond: Number(values.rate),
    seconds: Number(values.seconds),
    documents: Number(values.documents),
  });
  process.stdout.write(`${JSON.stringify(run, undefined, 2)}\n`);
} finally {
  await fleet.stop();
  await plane.stop();
  rmSync(home, { recursive: true, force: true });
}
