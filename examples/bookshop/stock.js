// Stock: a plain TCP line protocol in which the server speaks first.
//   server: STOCK READY      client: HAVE 0-13-110362-8      server: 7      client: BYE
import { createServer } from "node:net";

const server = createServer((socket) => {
  let rest = "";
  socket.setEncoding("latin1");
  socket.on("error", () => {});
  socket.write("STOCK READY\r\n");
  socket.on("data", (text) => {
    const lines = (rest + text).split(/\r?\n/);
    rest = lines.pop().slice(-1024);
    for (const line of lines) {
      const [word, isbn = ""] = line.split(" ");
      if (word === "HAVE") socket.write(`${[...isbn].reduce((sum, digit) => sum + (Number(digit) || 0), 0) % 10}\r\n`);
      else if (word === "BYE") socket.end("SEE YOU\r\n");
      else socket.write("WHAT?\r\n");
    }
  });
});

server.listen(Number(process.env.PORT), () => console.log(`stock listens on ${process.env.PORT}`));
process.on("SIGTERM", () => process.exit(0));
