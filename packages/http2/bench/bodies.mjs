// Gigabytes a second through one connection in memory: 16 responses of 1 MB at a time, read in pieces of 64 KB and
// consumed at once, as a proxy that relays does.
//
//   node packages/http2/bench/bodies.mjs

import { Http2Connection } from "@ripstop/http2";
import { RequestHead, ResponseHead } from "@ripstop/http";
import { systemClock } from "@ripstop/core";

const quiet = {
  onSettings() {},
  onIdle() {},
  onGoaway() {},
  onPong() {},
  onStreamError() {},
  onError(e) {
    throw new Error(String(e));
  },
};
const PIECE = 64 * 1024;
const BODY = 1024 * 1024;
const piece = Buffer.alloc(PIECE, 7);

class Memory {
  bytes = Buffer.alloc(8 << 20);
  length = 0;
  wanted = false;
  scheduleFlush() {
    this.wanted = true;
  }
  write(buf, start, end) {
    buf.copy(this.bytes, this.length, start, end);
    this.length += end - start;
    return true;
  }
  close() {}
}

const toServer = new Memory();
const toClient = new Memory();
const response = new ResponseHead();
class Source {
  left = BODY;
  constructor(stream) {
    this.stream = stream;
    stream.sendResponse(response, false);
    this.onWritable();
  }
  onWritable() {
    while (this.left > 0) {
      this.left -= PIECE;
      if (!this.stream.sendBody(piece, 0, PIECE)) break;
    }
    if (this.left <= 0) this.stream.sendEnd();
  }
  onBody() {}
  onEnd() {}
  onTrailers() {}
  onReset() {}
}
const server = new Http2Connection({
  role: "server",
  output: toClient,
  clock: systemClock,
  handler: { ...quiet, onRequest: (stream) => new Source(stream) },
});
const client = new Http2Connection({ role: "client", output: toServer, clock: systemClock, handler: quiet });

let received = 0;
const done = { streams: 0 };
class Reader {
  stream = undefined;
  onResponse() {}
  onInformational() {}
  onBody(buf, start, end) {
    received += end - start;
    this.stream.consumed(end - start);
  }
  onEnd() {
    done.streams++;
  }
  onTrailers() {}
  onWritable() {}
  onReset() {}
}
function carry(from, memory, to) {
  if (memory.wanted) {
    memory.wanted = false;
    from.flush();
  }
  const { length } = memory;
  memory.length = 0;
  for (let at = 0; at < length; at += PIECE) to.receive(memory.bytes, at, Math.min(length, at + PIECE));
  return length > 0;
}
const request = new RequestHead();
request.scheme = "http";
request.authority = "a";
function run(rounds) {
  for (let round = 0; round < rounds; round++) {
    done.streams = 0;
    for (let n = 0; n < 16; n++) {
      const reader = new Reader();
      reader.stream = client.open(reader);
      reader.stream.sendRequest(request, true);
    }
    while (done.streams < 16) {
      carry(client, toServer, server);
      carry(server, toClient, client);
    }
  }
}
run(10);
received = 0;
const before = process.cpuUsage();
run(100);
const used = process.cpuUsage(before);
console.log(
  `${process.version}  ${(received / 1e9).toFixed(2)} GB, ${((used.user + used.system) / 1e6 / (received / 1e9)).toFixed(3)} CPU seconds a GB for both ends`,
);
