// The thief gets nothing, and is told which policy and clause kept it out.
import { ensure } from "../mesh.js";

export const title = "the thief is kept out";

export async function run({ thief }) {
  const { status, body, headers } = await thief.call("get", { url: "http://catalog/books" });
  ensure(status === 403, `it got ${status} ${body.slice(0, 200)}`);
  const { error } = JSON.parse(body);
  ensure(String(error.policy).includes("staff-only"), `the body does not name the policy: ${body}`);
  ensure(String(error.clause).includes("rules[0]"), `the body does not name the clause: ${body}`);
  ensure(headers["x-ripstop-error"] === error.code, "x-ripstop-error differs from the body");
  const stock = await thief.call("stock").then(
    () => "copies",
    (cause) => cause.message,
  );
  ensure(stock !== "copies", "it got an answer of the TCP service");
  const order = await thief.call("order").then(
    () => "an order",
    (cause) => cause.message,
  );
  ensure(order.includes("PERMISSION_DENIED"), `gRPC said: ${order}`);
  return `403 ${error.code}, policy ${error.policy}, clause ${error.clause}; gRPC PERMISSION_DENIED; TCP closed`;
}
