// Chat with the bookseller: WebSocket.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const server = createServer((request, response) => response.end("chat: open a WebSocket\n"));
const sockets = new WebSocketServer({ server });
sockets.on("connection", (socket) => {
  socket.send("Welcome to the bookshop!");
  socket.on("error", () => {});
  socket.on("message", (data) => socket.send(`You said: ${data}`));
});

server.listen(Number(process.env.PORT), () => console.log(`chat listens on ${process.env.PORT}`));
process.on("SIGTERM", () => {
  for (const socket of sockets.clients) socket.close(1001, "the shop closes");
  server.close(() => process.exit(0));
});
