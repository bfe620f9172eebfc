// `npm run soak:heap -- [--requests N] [--slice N]`: the look at memory as long as wanted; a Markdown table on stdout.

import { commandOptions, count } from "@ripstop/testkit";
import { Mesh, stopOnSignal } from "../mesh.ts";
import { problemsOf, runHeap, sampleHead, sampleRow, trendLine } from "./run.ts";

const { values } = commandOptions(
  { command: "npm run soak:heap", about: "Looks at the memory of proxies over many requests: it must stay flat." },
  { requests: count(10_000_000, "requests in all"), slice: count(500_000, "requests between two looks") },
);
const mesh = new Mesh();
stopOnSignal(mesh);
try {
  await mesh.startControl();
  const report = await runHeap(mesh, {
    requests: values.requests,
    slice: values.slice,
    onProgress: (line) => process.stderr.write(`${line}\n`),
  });
  const problems = problemsOf(report);
  process.stdout.write(`${sampleHead}\n${report.samples.map(sampleRow).join("\n")}\n\n`);
  process.stdout.write(`Trend from a tenth of the run to its end:\n${report.trends.map(trendLine).join("\n")}\n`);
  process.stdout.write(`${report.requests} requests in ${report.seconds.toFixed(0)} s, ${report.failed} failed\n`);
  process.stdout.write(problems.length === 0 ? "flat\n" : `NOT FLAT: ${problems.join("; ")}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  await mesh.stop();
}
