// Prometheus metrics of proxy and control plane, and the dashboard.
import { join } from "node:path";
import { ensure, getOnSocket, metric, until } from "../mesh.js";

export const title = "metrics and dashboard";

export async function run({ mesh }) {
  const workload = await mesh.workload("catalog");
  const proxy = await getOnSocket(join(mesh.stateDirectory(workload), "admin.sock"), "/metrics");
  const requests = metric(proxy.body, "ripstop_requests_total");
  ensure(proxy.status === 200 && requests > 0, `the proxy answered ${proxy.status}, requests ${requests}`);
  const control = await getOnSocket(mesh.socket, "/metrics");
  ensure(
    control.status === 200 && control.body.includes("# TYPE ripstop_"),
    `the control plane answered ${control.status}`,
  );
  const { dashboardUrl } = await mesh.api("/v1/info");
  const page = await fetch(dashboardUrl);
  ensure(page.status === 200 && (await page.text()).includes("<html"), `the dashboard answered ${page.status}`);
  const graph = await until("the dashboard's graph has fewer than 7 services", 60, async () => {
    const shown = await (await fetch(new URL("/v1/graph", dashboardUrl))).json();
    return shown.nodes.length >= 7 ? shown : undefined;
  });
  return `catalog's proxy counted ${requests} requests; the graph has ${graph.nodes.length} services, ${graph.edges.length} edges`;
}
