// `ripstop tap` shows live requests.
import { ensure } from "../mesh.js";

export const title = "tap shows requests";

export async function run({ mesh, shopper }) {
  await shopper.call("startLoad", { name: "tap", url: "http://catalog/books", perSecond: 20 });
  const { code, stdout, stderr } = await mesh.cli(
    "tap",
    "--destination",
    "shop/catalog",
    "--count",
    "10",
    "-o",
    "json",
  );
  await shopper.call("stopLoad", { name: "tap" });
  ensure(code === 0, `it ended with ${code}: ${stderr}`);
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  ensure(events.length === 10, `${events.length} events instead of 10`);
  const event = events.find((one) => one.sourceService === "shop/shopper") ?? events[0];
  ensure(event.destinationService === "shop/catalog", `the destination is ${event.destinationService}`);
  ensure(event.sourceIdentity.endsWith("/ns/shop/sa/shopper"), `the source identity is "${event.sourceIdentity}"`);
  ensure(
    event.destinationIdentity.endsWith("/ns/shop/sa/catalog"),
    `the destination identity is "${event.destinationIdentity}"`,
  );
  ensure(
    event.path === "/books" && event.method === "GET" && Number(event.status) === 200,
    `the request is ${event.method} ${event.path} ${event.status}`,
  );
  ensure(event.tlsVersion.includes("1.3"), `TLS is "${event.tlsVersion}"`);
  return `${event.sourceService} → ${event.destinationService} ${event.method} ${event.path} ${event.status} ${(event.latencyUs / 1000).toFixed(1)} ms ${event.tlsVersion}`;
}
