// `npm run soak -- [--requests N] [--seed S] [--first I] [--lanes L]`: the integrity run as long as wanted.

import { parseArgs } from "node:util";
import { Mesh } from "../mesh.ts";
import { isClean, runIntegrity } from "./run.ts";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "200000" },
    seed: { type: "string", default: "1" },
    first: { type: "string", default: "1" },
    lanes: { type: "string", default: "32" },
  },
});
const mesh = new Mesh();
try {
  await mesh.startControl();
  const report = await runIntegrity(mesh, {
    seed: Number(values.seed),
    first: Number(values.first),
    requests: Number(values.requests),
    lanes: Number(values.lanes),
    onProgress: (line) => process.stderr.write(`${line}\n`),
  });
  const { wrong, leftovers } = report;
  process.stdout.write(`${wrong.join("\n")}\n${JSON.stringify(leftovers, undefined, 1)}\n`);
  process.stdout.write(
    `${report.requests} exchanges, ${(report.bytes / 1e9).toFixed(2)} GB in ${report.seconds.toFixed(0)} s: ${wrong.length} wrong\n${JSON.stringify(report.kinds)}\n`,
  );
  process.exitCode = wrong.length === 0 && leftovers.every(isClean) ? 0 : 1;
} finally {
  await mesh.stop();
}
