// Stands in for one process of a proxy in tests: one listening socket, its process id as answer to every connection.
import { createServer } from "node:net";

const server = createServer((socket) => socket.end(String(process.pid)));
const say = (message, socket) => process.connected && process.send(message, socket, {}, () => undefined);
const serve = (...where) =>
  server.listen(...where, () => {
    if (!process.argv.includes("--take-over")) say({ type: "listener", key: "w inbound", side: "inbound" }, server._handle);
    say({ type: "listening", ports: { workloads: { w: { inbound: server.address().port, httpProxy: 0, upstreams: [] } } } });
    say({ type: "ready", fromCache: true });
  });

if (process.env.FAKE_WORKER === "broken" && process.argv.includes("--take-over")) process.exit(3);
let kept;
process.on("message", (message, socket) => {
  if (message.type === "listener") kept = socket;
  else if (message.type === "take-over") serve(kept);
  else if (message.type === "drain") server.close(() => say({ type: "drained" }));
  else if (message.type === "ask") say({ type: "answer", id: message.id, answer: message.question.what });
  else if (message.type === "retire") {
    server.close();
    say({ type: "retiring" });
    process.disconnect();
  }
});
process.on("disconnect", () => process.exit(0));
if (!process.argv.includes("--take-over")) serve(0, "127.0.0.1");
