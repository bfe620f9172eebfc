// `npm run global-limit -- [--seconds N] [--limit N]`: one limit over four proxies with skewed load, in a real mesh: all
// well, one proxy killed, the control plane killed. Prints what passed in each phase; ends with 1 when one is off by more
// than 5 %.

import { commandOptions, count } from "@ripstop/testkit";
import { Mesh, stopOnSignal, type Running } from "../mesh.ts";
import { steadyLoad } from "./load.ts";

const {
  values: { seconds, limit },
} = commandOptions(
  { command: "npm run global-limit", about: "Four services with unequal load share one limit of a whole mesh." },
  {
    seconds: count(20, "seconds of load in each case"),
    limit: count(100, "requests a second that all may make together"),
  },
);
/** Load of each service, as a part of the limit: skewed, and above the limit without the busiest too. */
const SKEW = { stock: 0.2, orders: 0.5, carts: 0.9, search: 2.4 } as const;
const TOLERANCE = 0.05;

const SERVER = `
require("node:http").createServer((request, response) => response.end("ok")).listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
// Whoever started it may be killed without a word.
const parent = process.ppid;
setInterval(() => { if (process.ppid !== parent) process.exit(1); }, 200);
`;

interface Second {
  readonly passed: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
  readonly failed: Readonly<Record<string, number>>;
  /** Time that the counts are of. */
  readonly ms: number;
}

const mesh = new Mesh();
stopOnSignal(mesh);
const run = (service: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Running =>
  mesh.ripstop(["run", "--namespace", "shop", "--service", service, ...args], env);
const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

/** The next `count` seconds of the load, after leaving out `warmUp`. */
async function measure(load: Running, warmUp: number, count: number): Promise<readonly Second[]> {
  const before = load.output().split("\n").length - 1;
  const wanted = before + warmUp + count;
  while (load.output().split("\n").length - 1 < wanted) await new Promise((resolve) => setTimeout(resolve, 200));
  return load
    .output()
    .split("\n")
    .slice(before + warmUp, wanted)
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Second);
}

function report(phase: string, taken: readonly Second[]): boolean {
  const elapsed = taken.reduce((total, { ms }) => total + ms, 0) / 1_000;
  const rate = taken.reduce((total, { passed }) => total + sum(passed), 0) / elapsed;
  const asked =
    taken.reduce((total, { passed, refused, failed }) => total + sum(passed) + sum(refused) + sum(failed), 0) / elapsed;
  const by = Object.keys(SKEW)
    .map(
      (name) =>
        `${name} ${(taken.reduce((total, { passed }) => total + (passed[`${name}.shop`] ?? 0), 0) / elapsed).toFixed(1)}`,
    )
    .join(", ");
  const isGood = Math.abs(rate / limit - 1) <= TOLERANCE;
  process.stdout.write(
    `${isGood ? "ok  " : "OFF "} ${phase}: ${rate.toFixed(1)}/s of ${limit}/s passed, ${asked.toFixed(0)}/s asked (${by}), over ${elapsed.toFixed(1)} s\n`,
  );
  return isGood;
}

try {
  await mesh.startControl();
  const servers = new Map<string, Running>();
  for (const name of Object.keys(SKEW))
    servers.set(name, run(name, ["--port", "auto", "--", process.execPath, "--eval", SERVER]));
  const policy = `
apiVersion: ripstop.mesh/v1alpha1
kind: RateLimitPolicy
metadata: { name: whole-shop, namespace: shop }
spec:
  rules:
    - name: all
      scope: Global
      limit: { requests: ${limit}, period: 1s }
`;
  const applied = await mesh.command(["apply", "-f", "-"], policy);
  if (applied.code !== 0) throw new Error(applied.output);
  await mesh.until("all services are ready", async () => {
    const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
      readonly workloads: readonly { readonly ready: boolean }[];
    };
    return workloads.length === servers.size && workloads.every(({ ready }) => ready) ? true : undefined;
  });
  const rates = Object.fromEntries(Object.entries(SKEW).map(([name, part]) => [`${name}.shop`, part * limit]));
  const load = run("client", ["--", process.execPath, "--eval", steadyLoad], { RATES: JSON.stringify(rates) });
  await load.printed(/^\{"passed"/m);
  const good = [report("four proxies", await measure(load, 10, seconds))];
  // With its supervisor: nothing is drained, and nobody starts it again.
  const victim = servers.get("search");
  const pid = victim?.child.pid;
  if (pid === undefined) throw new Error("search does not run");
  process.kill(pid, "SIGKILL");
  good.push(report("one proxy killed", await measure(load, 8, seconds)));
  mesh.control?.child.kill("SIGKILL");
  good.push(report("control plane killed", await measure(load, 3, seconds)));
  process.exitCode = good.every(Boolean) ? 0 : 1;
} finally {
  await mesh.stop();
}
