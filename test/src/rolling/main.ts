// `npm run rolling -- [--endpoints N] [--rate R] [--changes C]`: a rolling update under load, as large as wanted.

import { commandOptions, count } from "@ripstop/testkit";
import { failures } from "../load/load.ts";
import { Mesh, stopOnSignal } from "../mesh.ts";
import { runRolling } from "./run.ts";

const { values } = commandOptions(
  { command: "npm run rolling", about: "Replaces all instances of a service under load: no request may fail." },
  {
    endpoints: count(20, "instances that are replaced"),
    rate: count(1_000, "requests a second"),
    changes: count(1_000, "changes of other things meanwhile", 0),
  },
);
const mesh = new Mesh();
stopOnSignal(mesh);
try {
  await mesh.startControl();
  const report = await runRolling(mesh, {
    endpoints: values.endpoints,
    rate: values.rate,
    changes: values.changes,
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
