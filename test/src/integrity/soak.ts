// `npm run soak -- [--requests N] [--seed S] [--first I] [--lanes L] [--transport T]`: the integrity run as long as wanted.

import { parseArgs } from "node:util";
import { Mesh, stopOnSignal } from "../mesh.ts";
import { problemsOf, runIntegrity } from "./run.ts";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "200000" },
    seed: { type: "string", default: "1" },
    first: { type: "string", default: "1" },
    lanes: { type: "string", default: "32" },
    transport: { type: "string" },
  },
});
const mesh = new Mesh();
stopOnSignal(mesh);
try {
  await mesh.startControl();
  const report = await runIntegrity(mesh, {
    seed: Number(values.seed),
    first: Number(values.first),
    requests: Number(values.requests),
    lanes: Number(values.lanes),
    ...(values.transport === undefined ? {} : { transport: values.transport }),
    onProgress: (line) => process.stderr.write(`${line}\n`),
  });
  const problems = problemsOf(report);
  for (const leftover of report.leftovers) process.stdout.write(`${JSON.stringify(leftover)}\n`);
  for (const growth of report.growth) process.stdout.write(`${JSON.stringify(growth)}\n`);
  process.stdout.write(`${JSON.stringify(report.kinds)}\n`);
  const { requests, bytes, seconds, wrong } = report;
  process.stdout.write(
    `seed ${values.seed}: ${requests} exchanges, ${(bytes / 1e9).toFixed(2)} GB in ${seconds.toFixed(0)} s: ${wrong.length} wrong, ${problems.length - wrong.length} leaks\n`,
  );
  for (const problem of problems) process.stdout.write(`${problem}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  await mesh.stop();
}
