// `npm run hostile:api`: the table of hostile inputs in full size, with what a neighbour notices of each.

import { commandOptions } from "@ripstop/testkit";
import { Mesh, stopOnSignal } from "../mesh.ts";
import { runHostileTable } from "./run-table.ts";

commandOptions(
  {
    command: "npm run hostile:api",
    about: "Hostile inputs to the API in full size, with what a neighbour notices of each.",
  },
  {},
);
const mesh = new Mesh();
stopOnSignal(mesh);
let failed = false;
try {
  await mesh.startControl(["--api-address", "127.0.0.1:0"]);
  await runHostileTable(
    mesh,
    { resources: 100_000, batch: 5_000, bytes: 50_000_000 },
    ({ title, status, code, problem, elapsedMs, neighbour }) => {
      const { requests, failed: lost, p50Ms, p99Ms } = neighbour;
      process.stdout.write(
        `${title}: ${status} ${code} after ${Math.round(elapsedMs)} ms; neighbour: ${requests} requests, ${lost} failed, ` +
          `p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms${problem === "" ? "" : `\n  NOT AS EXPECTED: ${problem}`}\n`,
      );
      failed ||= problem !== "" || lost > 0;
    },
  );
} finally {
  await mesh.stop();
}
process.exitCode = failed ? 1 : 0;
