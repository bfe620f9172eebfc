// W3C trace context reaches the application.
import { randomBytes } from "node:crypto";
import { ensure } from "../mesh.js";

export const title = "trace context is passed on";

export async function run({ shopper }) {
  const traceId = randomBytes(16).toString("hex");
  const sent = `00-${traceId}-${randomBytes(8).toString("hex")}-01`;
  const { body } = await shopper.call("get", {
    url: "http://catalog/headers",
    headers: { traceparent: sent, tracestate: "shop=1" },
  });
  const { headers } = JSON.parse(body);
  ensure(headers.traceparent?.split("-")[1] === traceId, `sent ${sent}, the application saw ${headers.traceparent}`);
  ensure(headers.tracestate === "shop=1", `tracestate became ${headers.tracestate}`);
  const without = JSON.parse((await shopper.call("get", { url: "http://catalog/headers" })).body).headers;
  ensure(
    /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(without.traceparent ?? ""),
    "a request without one got none",
  );
  ensure((headers["x-request-id"] ?? "") !== "", "there is no x-request-id");
  return `trace ${traceId.slice(0, 8)}… arrived, request id ${headers["x-request-id"]}`;
}
