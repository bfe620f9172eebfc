// Shows that Node's HTTP/1.1 client stops sending behind an early, complete answer, with no proxy in between:
//   node test/dist/integrity/early-answer.js [BYTES]
// The server answers in full at the head of the request, and then reads all that comes. Once its parser has the whole
// answer, Node's client no longer listens to its socket's "drain" (lib/_http_client.js, socketOnData), so that a request
// that waits for room waits for ever. A bare socket sends the same bytes to the end.

import { request } from "node:http";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import type { Writable } from "node:stream";
import { sendContent } from "./streams.ts";

const length = Number(process.argv[2] ?? 40_000_000);
const WAIT_MS = 5_000;
const PIECE = 65_536;

let received = 0;
const server = createServer((socket) => {
  received = 0;
  let answered = false;
  socket.on("error", () => undefined);
  socket.on("data", (bytes) => {
    received += bytes.length;
    if (answered) return;
    answered = true;
    socket.pause();
    // The client has filled the buffers of the kernel by then, and waits for room.
    setTimeout(() => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly");
      setTimeout(() => socket.resume(), 200);
    }, 200);
  });
});

/** Sends the body; whether it was all sent within WAIT_MS. */
async function sends(stream: Writable): Promise<boolean> {
  const sent = sendContent(stream, { seed: 1, length, piece: PIECE, slow: false });
  const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), WAIT_MS));
  return Promise.race([sent, late]);
}

server.listen(0, "127.0.0.1", async () => {
  const { port } = server.address() as AddressInfo;
  const upload = request({
    port,
    host: "127.0.0.1",
    method: "POST",
    headers: { "content-length": length },
    agent: false,
  });
  upload.on("error", () => undefined);
  const complete = new Promise<boolean>((resolve) => {
    upload.on("response", (answer) => answer.resume().on("end", () => resolve(answer.complete)));
  });
  const sentByNode = await sends(upload);
  const state = {
    answerComplete: await complete,
    received,
    needsDrain: upload.writableNeedDrain,
    queued: upload.socket?.writableLength,
    drainListenersOfSocket: upload.socket?.listenerCount("drain"),
  };
  process.stdout.write(`node:http    sent all ${length} bytes: ${sentByNode} ${JSON.stringify(state)}\n`);
  upload.destroy();
  const bare: Socket = connect(port, "127.0.0.1");
  bare.on("error", () => undefined);
  bare.write(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${length}\r\n\r\n`);
  bare.resume();
  process.stdout.write(`bare socket  sent all ${length} bytes: ${await sends(bare)}\n`);
  process.exit();
});
