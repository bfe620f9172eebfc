// Sends as much as one connection takes for a time, then half-closes and waits for the sink's count.

import { connect } from "node:net";
import { finish, giveUp, nowMs, programOptions } from "./program.ts";

const { port, seconds, chunkBytes } = programOptions<{
  readonly port: number;
  readonly seconds: number;
  readonly chunkBytes: number;
}>();
const chunk = Buffer.alloc(chunkBytes, "b");
const OUTSTANDING = 2;
let sent = 0;
let answer = "";
const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
const beganMs = nowMs();
const endMs = beganMs + seconds * 1000;

function next(): void {
  if (nowMs() >= endMs) {
    if (!socket.writableEnded) socket.end();
    return;
  }
  sent += chunkBytes;
  socket.write(chunk, next);
}

socket.once("connect", () => {
  for (let at = 0; at < OUTSTANDING; at++) next();
});
socket.on("data", (data: Buffer) => {
  answer += data.toString();
});
socket.on("end", () => {
  if (Number(answer) !== sent) giveUp(`${sent} bytes were sent, ${answer || "0"} arrived`);
  finish({ bytes: sent, seconds: (nowMs() - beganMs) / 1000 });
});
socket.on("error", (error) => giveUp(String(error)));
