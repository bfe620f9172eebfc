// A proxy is killed while the control plane is stopped: it restarts with its last good config.
import { ensure, until } from "../mesh.js";

export const title = "proxy killed with -9, control plane stopped";

export async function run({ mesh, shopper }) {
  const workload = await until("the proxy's process id is not known", 60, async () => {
    const found = await mesh.workload("orders");
    return found.proxyPid > 0 ? found : undefined;
  });
  const control = mesh.control().pid;
  process.kill(control, "SIGSTOP");
  try {
    process.kill(workload.proxyPid, "SIGKILL");
    const startMs = performance.now();
    const receipt = await until("orders did not come back", 60, () => shopper.call("order").catch(() => undefined));
    const ms = performance.now() - startMs;
    ensure(receipt.number.startsWith("B-"), "the order failed");
    return `orders served again after ${Math.round(ms)} ms`;
  } finally {
    process.kill(control, "SIGCONT");
  }
}
