// Stands in for one process of a gateway in tests: the lead opens a socket after it has said that it is ready and closes it on
// SIGUSR2; the others ask for it, and say (which is not theirs to say) that a port is closed.
import { createServer } from "node:net";

const KEY = "g gateway";
const follows = process.argv.includes("--follow");
const server = createServer((socket) => socket.end(String(process.pid)));
const say = (message, socket) => process.connected && process.send(message, socket, {}, () => undefined);
const greet = (port) => {
  say({ type: "listening", ports: { workloads: { w: { inbound: port, httpProxy: 0, upstreams: [] } } } });
  say({ type: "closed-ports", ports: follows ? [{ gateway: "g", address: "", port: 1, cause: "" }] : [] });
};

process.on("message", (message, socket) => {
  if (message.type === "take-over") say({ type: "listener-wanted", key: KEY });
  else if (message.type === "listener-closed") server.close();
  else if (message.type === "listener" && (!follows || server.listening || taken++ === 0)) socket.close();
  else if (message.type === "listener")
    server.listen(socket, () => {
      greet(server.address().port);
      say({ type: "ready", fromCache: true });
    });
});
// The first one comes before "take-over": what counts here is the one that was asked for.
let taken = 0;
process.on("disconnect", () => process.exit(0));
process.on("SIGUSR2", () => {
  server.close();
  say({ type: "listener-closed", key: KEY });
});
if (!follows)
  server.listen(0, "127.0.0.1", () => {
    greet(server.address().port);
    say({ type: "ready", fromCache: true });
    say({ type: "listener", key: KEY, side: "inbound" }, server._handle);
  });
