// `npm run soak -- [--requests N] [--seed S] [--first I] [--lanes L] [--transport T]`: the integrity run as long as wanted.

import { commandOptions, count, text } from "@ripstop/testkit";
import { Mesh, stopOnSignal } from "../mesh.ts";
import { problemsOf, runIntegrity } from "./run.ts";

const { values } = commandOptions(
  {
    command: "npm run soak",
    about:
      "Random exchanges through a mesh of real processes: no byte may be wrong, nothing may be left. See docs/soak.md.",
  },
  {
    requests: count(200_000, "exchanges"),
    seed: count(1, "another random run", 0),
    first: count(1, "begin with this exchange, to repeat a finding", 0),
    lanes: count(32, "exchanges at a time"),
    transport: text("TIER", "transport of the proxies, else they choose", ["raw", "onread", "public"]),
  },
);
const mesh = new Mesh();
stopOnSignal(mesh);
try {
  await mesh.startControl();
  const report = await runIntegrity(mesh, {
    seed: values.seed,
    first: values.first,
    requests: values.requests,
    lanes: values.lanes,
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
