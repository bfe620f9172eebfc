// A proxy is killed while the control plane is stopped: it restarts with its last good config.
import { ensure, until } from "../mesh.js";

export const title = "proxy killed with -9, control plane stopped";

export async function run({ mesh, shopper }) {
  const workload = await mesh.workload("orders");
  ensure(workload.proxyPid > 0, "the proxy's process id is not known");
  const control = mesh.control().pid;
  process.kill(control, "SIGSTOP");
  try {
    process.kill(workload.proxyPid, "SIGKILL");
    const startMs = performance.now();
    const receipt = await until("orders did not come back", 20, () => shopper.call("order").catch(() => undefined));
    const ms = performance.now() - startMs;
    ensure(receipt.number.startsWith("B-"), "the order failed");
    return `orders served again after ${Math.round(ms)} ms`;
  } finally {
    process.kill(control, "SIGCONT");
  }
}
