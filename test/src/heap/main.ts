// `npm run soak:heap -- [--requests N] [--slice N]`: the look at memory as long as wanted; a Markdown table on stdout.

import { parseArgs } from "node:util";
import { Mesh, stopOnSignal } from "../mesh.ts";
import { problemsOf, runHeap, sampleHead, sampleRow, trendLine } from "./run.ts";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "10000000" },
    slice: { type: "string", default: "500000" },
  },
});
const mesh = new Mesh();
stopOnSignal(mesh);
try {
  await mesh.startControl();
  const report = await runHeap(mesh, {
    requests: Number(values.requests),
    slice: Number(values.slice),
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
