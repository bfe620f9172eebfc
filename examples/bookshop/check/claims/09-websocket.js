// WebSocket.
import { ensure } from "../mesh.js";

export const title = "WebSocket";

export async function run({ shopper }) {
  const { welcome, echo } = await shopper.call("chat", { text: "grüß dich" });
  ensure(echo === "You said: grüß dich", `the echo is ${echo}`);
  return `"${welcome}", "${echo}"`;
}
