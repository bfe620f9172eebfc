// `npm run conformance -- [WORD ...] [--address HOST:PORT] [--json] [--record] [--manifests]`: runs our conformance suite of the
// Gateway API against a mesh of its own, or the half that only needs traffic against any address.

import { commandOptions, count, flag, text } from "@ripstop/testkit";
import { allCases } from "./cases/index.ts";
import { runCases } from "./run.ts";
import { addressTarget, commonManifests, startTarget } from "./target.ts";
import { needsOnlyTraffic } from "./case.ts";
import { summary, table } from "./report.ts";
import { merged, readRecord, recordOf, writeRecord } from "./record.ts";

const { values, words } = commandOptions(
  {
    command: "npm run conformance",
    about: "Runs the Gateway API cases whose name, features or tests hold all the words; all of them without a word.",
    words: "[WORD ...]",
  },
  {
    address: text("HOST:PORT", "a gateway that is there, instead of a mesh of its own"),
    json: flag("results as JSON"),
    record: flag("keeps the results that the claims are generated from"),
    manifests: flag("prints what a gateway at --address must be given, and runs nothing"),
    patience: count(10_000, "milliseconds that a case waits for what it expects"),
    "at-once": count(3, "cases at a time"),
  },
);

const chosen = allCases.filter((one) =>
  words.every((word) =>
    [
      one.name,
      one.holds,
      ...one.features,
      ...(one.tests ?? []),
      ...(one.rules ?? []).map((rule) => `rule${rule}`),
    ].some((text) => text.toLowerCase().includes(word.toLowerCase())),
  ),
);
if (chosen.length === 0) {
  process.stderr.write("no case fits\n");
  process.exit(2);
}
if (values.record && values.address !== undefined) {
  process.stderr.write("--record is for what runs against a mesh of its own\n");
  process.exit(2);
}
if (values.manifests) {
  const traffic = chosen.filter((one) => one.unsupported === undefined && needsOnlyTraffic(one));
  const manifests = [...commonManifests(), ...traffic.flatMap(({ resources = [] }) => resources)];
  const text = manifests.map((manifest) => `---\n${JSON.stringify(manifest, undefined, 2)}\n`).join("");
  // To its end, before the process exits: a pipe takes it piece by piece.
  await new Promise<unknown>((resolve) => process.stdout.write(text, resolve));
  process.exit(0);
}

const parts = values.address === undefined ? undefined : /^(.+):(\d+)$/.exec(values.address);
if (parts === null) {
  process.stderr.write("--address is HOST:PORT\n");
  process.exit(2);
}
const target = parts === undefined ? await startTarget(chosen) : addressTarget(parts[1] ?? "", Number(parts[2]));
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void target.stop().then(() => process.exit(130)));
try {
  const outcomes = await runCases(chosen, target, {
    trafficOnly: parts !== undefined,
    patienceMs: values.patience,
    atOnce: values["at-once"],
    say: (line) => void (values.json ? process.stderr : process.stdout).write(`${line}\n`),
  });
  if (values.record) writeRecord(recordOf(merged(allCases, outcomes, readRecord()?.cases ?? [])));
  process.stdout.write(
    values.json ? `${JSON.stringify({ ...summary(outcomes), cases: outcomes }, undefined, 2)}\n` : table(outcomes),
  );
  process.exitCode = outcomes.some(({ result }) => result === "failed") ? 1 : 0;
} finally {
  await target.stop();
}
