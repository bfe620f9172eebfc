// `npm run rolling -- [--endpoints N] [--rate R] [--changes C]`: a rolling update under load, as large as wanted.

import { parseArgs } from "node:util";
import { failures } from "../load/load.ts";
import { Mesh, stopOnSignal } from "../mesh.ts";
import { runRolling } from "./run.ts";

const { values } = parseArgs({
  options: {
    endpoints: { type: "string", default: "20" },
    rate: { type: "string", default: "1000" },
    changes: { type: "string", default: "1000" },
  },
});
const mesh = new Mesh();
stopOnSignal(mesh);
try {
  await mesh.startControl();
  const report = await runRolling(mesh, {
    endpoints: Number(values.endpoints),
    rate: Number(values.rate),
    changes: Number(values.changes),
    onProgress: (line) => process.stderr.write(`${line}\n`),
  });
  const { load, held } = report;
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.stdout.write(
    `rolled ${report.rolled} instances in ${report.seconds.toFixed(0)} s under ${(load.sent / load.seconds).toFixed(0)} requests/s: ` +
      `${load.sent} sent, ${failures(load)} failed; ${report.changes} unrelated changes; ` +
      `${held.webSocket} WebSocket and ${held.grpc} gRPC messages on one connection each, ${held.ended.length} ended\n`,
  );
  process.exitCode = failures(load) === 0 && held.ended.length === 0 ? 0 : 1;
} finally {
  await mesh.stop();
}
