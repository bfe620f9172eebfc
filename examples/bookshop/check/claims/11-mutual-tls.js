// All traffic between workloads is mutual TLS.
import { ensure, until } from "../mesh.js";

export const title = "mutual TLS everywhere";

export async function run({ mesh }) {
  const called = ["catalog", "reviews", "orders", "stock", "chat", "web"];
  const workloads = await until("not every called workload shows mutual TLS", 60, async () => {
    const all = (await mesh.workloads()).filter((one) => called.includes(one.service));
    return all.every((one) => one.mutualTls === true) ? all : undefined;
  });
  const { edges } = await mesh.api("/v1/graph");
  ensure(edges.length > 0, "the graph has no edge");
  for (const edge of edges) ensure(edge.mutualTls, `${edge.source} → ${edge.destination} is not mutual TLS`);
  return `${workloads.length} workloads, ${edges.length} edges of the graph`;
}
