// The proxy process of one service is small.
import { existsSync, readFileSync } from "node:fs";
import { ensure } from "../mesh.js";

export const title = "memory of a proxy";

/** MiB. A bare Node 24 or 26 process is 10 to 15 MiB larger than one of Node 20. */
const LIMIT = Number(process.versions.node.split(".")[0]) < 22 ? 70 : 95;

export async function run({ mesh }) {
  const sizes = (await mesh.workloads())
    .filter((one) => one.proxyPid > 0)
    .map((one) => {
      const file = `/proc/${one.proxyPid}/status`;
      const kilobytes = existsSync(file)
        ? Number(/VmRSS:\s+([0-9]+) kB/.exec(readFileSync(file, "utf8"))?.[1])
        : one.proxyResidentBytes / 1024;
      return { id: one.id, mebibytes: kilobytes / 1024 };
    });
  ensure(sizes.length >= 10, `only ${sizes.length} proxies are known`);
  const largest = sizes.reduce((left, right) => (left.mebibytes > right.mebibytes ? left : right));
  const mean = sizes.reduce((sum, one) => sum + one.mebibytes, 0) / sizes.length;
  ensure(largest.mebibytes < LIMIT, `${largest.id} has ${largest.mebibytes.toFixed(1)} MiB resident`);
  return `the largest of ${sizes.length} has ${largest.mebibytes.toFixed(1)} MiB resident (${largest.id}), mean ${mean.toFixed(1)} MiB`;
}
