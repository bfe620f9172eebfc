// The shop comes up, every workload with an identity and a proxy.
import { ensure, fail, until } from "../mesh.js";

export const title = "the shop is up";
export const needed = true;

export async function run({ mesh }) {
  const startMs = performance.now();
  mesh.start();
  await until(
    () => `the shop is not up:\n${mesh.output}`,
    120,
    () => {
      if (!mesh.running) fail(`it ended:\n${mesh.output}`);
      return mesh.output.includes("Ctrl-C ends it all");
    },
  );
  const ms = performance.now() - startMs;
  const workloads = await mesh.workloads();
  ensure(workloads.length === 10, `${workloads.length} workloads instead of 10`);
  for (const one of workloads) {
    ensure(one.ready, `${one.id} is not ready`);
    ensure(/^spiffe:\/\/[^/]+\/ns\/shop\/sa\//.test(one.spiffeId), `${one.id} has the identity ${one.spiffeId}`);
  }
  ensure(ms < 120_000, `it took ${Math.round(ms)} ms`);
  return `10 workloads with SPIFFE identities after ${(ms / 1000).toFixed(1)} s`;
}
