// Plain TCP in which the server speaks first.
import { ensure } from "../mesh.js";

export const title = "TCP, the server speaks first";

export async function run({ shopper }) {
  const startMs = performance.now();
  const { greeting, copies } = await shopper.call("stock");
  ensure(greeting === "STOCK READY" && Number.isInteger(copies), `got ${greeting}, ${copies}`);
  return `"${greeting}", ${copies} copies, ${Math.round(performance.now() - startMs)} ms`;
}
