// `npm run rotation -- [--services N] [--rate R] [--frozen SECONDS]`: rotations of the root under load, for the record.

import { commandOptions, count } from "@ripstop/testkit";
import { Mesh } from "../mesh.ts";
import { Ring, type RingCounts } from "./ring.ts";
import { noticed, rotate, rotateWithFrozen } from "./rotate.ts";

const { values } = commandOptions(
  {
    command: "npm run rotation",
    about: "Rotates the root of a mesh under load: no request may fail, no connection may close.",
  },
  {
    services: count(10, "services that call each other in a ring", 2),
    rate: count(1_000, "requests a second"),
    frozen: count(30, "seconds that one proxy is stopped for in the second rotation"),
  },
);
const mesh = new Mesh();
const say = (what: string, seconds: number, seen: RingCounts): boolean => {
  const { sent, failed, closed, pings, causes } = seen;
  process.stdout.write(
    `${what}: ${seconds.toFixed(1)} s, ${sent} requests (${Math.round(sent / seconds)}/s), ${pings} pings on TCP: ` +
      `${failed} failed, ${closed} connections closed\n${failed > 0 ? `${causes.join("\n")}\n` : ""}`,
  );
  return failed === 0 && closed === 0;
};
const timed = async (ring: Ring, what: string, work: () => Promise<void>): Promise<boolean> => {
  const started = performance.now();
  const seen = await noticed(ring, work);
  return say(what, (performance.now() - started) / 1000, seen);
};
try {
  await mesh.startControl();
  mesh.ripstop(["run", "--service", "bystander", "--", process.execPath, "--eval", "setInterval(() => {}, 1000)"]);
  const ring = await Ring.start(mesh, values.services, values.rate);
  const frozen = (await ring.workloads()).find(({ service }) => service.endsWith("bystander"));
  if (frozen === undefined) throw new Error("the bystander is not there");
  const plain = await timed(ring, `rotation over ${values.services} services`, async () => void (await rotate(mesh)));
  const held = await timed(ring, `with one proxy stopped for ${values.frozen} s`, async () => {
    const { held: statuses } = await rotateWithFrozen(mesh, frozen, values.frozen);
    const reasons = new Set(
      statuses.flatMap(({ holding }) => holding.map((one) => `${one.workloadId}: ${one.reason}`)),
    );
    process.stdout.write(`the gate held in "${statuses.at(-1)?.phase ?? ""}" and named ${[...reasons].join("; ")}\n`);
  });
  process.exitCode = plain && held ? 0 : 1;
} finally {
  await mesh.stop();
}
