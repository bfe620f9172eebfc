// The control plane is killed under traffic, comes back, and sends nothing that the proxies have.
import { join } from "node:path";
import { ensure, getOnSocket, metric, sleep, until } from "../mesh.js";

export const title = "control plane killed with -9 under traffic";

/** Resources that the proxies of the catalog have received since their start, by their own count. */
async function received(mesh) {
  let sum = 0;
  for (const version of ["v1", "v2"]) {
    const socket = join(mesh.stateDirectory(await mesh.workload("catalog", version)), "admin.sock");
    sum += metric((await getOnSocket(socket, "/metrics")).body, "ripstop_config_resources_received_total") ?? 0;
  }
  return sum;
}

export async function run({ mesh, shopper }) {
  const receivedBefore = await received(mesh);
  ensure(receivedBefore > 0, "the proxies count no received resource");
  await shopper.call("startLoad", { name: "kill", url: "http://catalog/books", perSecond: 200 });
  const before = mesh.control().pid;
  const proxies = (await mesh.api("/v1/info")).proxies;
  process.kill(before, "SIGKILL");
  const startMs = performance.now();
  const info = await until("it did not come back with all proxies", 90, async () => {
    const answer = await mesh.api("/v1/info").catch(() => undefined);
    return answer !== undefined && answer.proxies >= proxies ? answer : undefined;
  });
  const backMs = performance.now() - startMs;
  ensure(mesh.control().pid !== before, "it is the same process");
  const countOf = async (name) => metric((await getOnSocket(mesh.socket, "/metrics")).body, name) ?? 0;
  const resumed = await until("no resource was resumed", 60, async () => {
    const count = await countOf("ripstop_config_resources_resumed_total");
    return count > 0 ? count : undefined;
  });
  // What would be sent again would come now.
  await sleep(1500);
  const load = await shopper.call("stopLoad", { name: "kill" });
  ensure(load.failed === 0, `${load.failed} of ${load.requests} requests failed: ${load.errors.join("; ")}`);
  const sent = await countOf("ripstop_config_resources_sent_total");
  const receivedAgain = (await received(mesh)) - receivedBefore;
  ensure(receivedAgain === 0, `catalog's proxies received ${receivedAgain} resources again`);
  ensure(sent === 0, `${sent} resources were sent again`);
  return `${load.requests} requests, 0 failed; ${info.proxies} proxies back after ${Math.round(backMs)} ms, ${resumed} resources resumed, ${sent} sent again`;
}
