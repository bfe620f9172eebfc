// gRPC, unary and streaming.
import { ensure } from "../mesh.js";

export const title = "gRPC, unary and streaming";

export async function run({ shopper }) {
  const receipt = await shopper.call("order");
  ensure(/^B-[0-9]+$/.test(receipt.number), `the receipt is ${JSON.stringify(receipt)}`);
  const steps = await shopper.call("follow", receipt);
  ensure(steps.join() === "received,packed,sent,delivered", `the steps are ${steps.join()}`);
  return `order ${receipt.number}: ${steps.length} streamed steps`;
}
