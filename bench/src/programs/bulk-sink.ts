// Reads everything that a connection brings, then answers how much it was and ends it.

import { createServer } from "node:net";
import { programOptions } from "./program.ts";

const { port } = programOptions<{ readonly port: number }>();
createServer({ allowHalfOpen: true }, (socket) => {
  let bytes = 0;
  socket.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  socket.on("end", () => socket.end(String(bytes)));
  socket.on("error", () => socket.destroy());
}).listen(port, "127.0.0.1");
