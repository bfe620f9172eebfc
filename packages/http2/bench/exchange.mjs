// Nanoseconds of CPU for one gRPC-like unary exchange in memory: client encodes a request (9 headers, 37-byte message),
// server decodes it and answers (headers, 37-byte message, trailers), client decodes that. Both ends are ours, so a
// proxy, which has one server side and one client side, costs about as much. Bytes are carried 16 exchanges at a time.
//
//   node packages/http2/bench/exchange.mjs [exchanges]

import { Http2Connection } from "@ripstop/http2";
import { HeaderList, RequestHead, ResponseHead } from "@ripstop/http";
import { systemClock } from "@ripstop/core";

const EXCHANGES = Number(process.argv[2] ?? 400_000);
const BATCH = 16;

class Memory {
  bytes = Buffer.alloc(1 << 20);
  length = 0;
  flushWanted = undefined;
  scheduleFlush(connection) {
    this.flushWanted = connection;
  }
  write(buf, start, end) {
    buf.copy(this.bytes, this.length, start, end);
    this.length += end - start;
    return true;
  }
  close() {}
  carry(to) {
    this.flushWanted?.flush();
    this.flushWanted = undefined;
    const { length } = this;
    this.length = 0;
    if (length > 0) to.receive(this.bytes, 0, length);
    return length;
  }
}

const message = Buffer.alloc(37, 7);
const trailers = new HeaderList();
trailers.append("grpc-status", "0");
trailers.append("grpc-message", "");
const response = new ResponseHead();
response.headers.append("content-type", "application/grpc");
response.headers.append("x-served-by", "backend-1");

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

class Answer {
  constructor(stream) {
    this.stream = stream;
  }
  onBody(buf, start, end) {
    this.stream.consumed(end - start);
  }
  onEnd() {
    this.stream.sendResponse(response, false);
    this.stream.sendBody(message, 0, message.length);
    this.stream.sendTrailers(trailers);
  }
  onTrailers() {}
  onWritable() {}
  onReset() {}
}

let done = 0;
class Call {
  stream = undefined;
  onInformational() {}
  onResponse() {}
  onBody(buf, start, end) {
    this.stream.consumed(end - start);
  }
  onTrailers() {
    done++;
  }
  onEnd() {}
  onWritable() {}
  onReset() {
    throw new Error("reset");
  }
}

const toServer = new Memory();
const toClient = new Memory();
const server = new Http2Connection({
  role: "server",
  output: toClient,
  clock: systemClock,
  handler: { ...quiet, onRequest: (stream) => new Answer(stream) },
});
const client = new Http2Connection({ role: "client", output: toServer, clock: systemClock, handler: quiet });
toServer.carry(server);
toClient.carry(client);
toServer.carry(server);

const request = new RequestHead();
request.method = "POST";
request.scheme = "http";
request.authority = "cart.shop.svc:8080";
request.path = "/shop.Cart/AddItem";
for (const [name, value] of [
  ["te", "trailers"],
  ["content-type", "application/grpc"],
  ["user-agent", "grpc-node/1.24.2 grpc-c/8.0.0"],
  ["grpc-accept-encoding", "identity,deflate,gzip"],
  ["grpc-timeout", "1S"],
  ["traceparent", ""],
  ["x-request-id", ""],
])
  request.headers.append(name, value);

let serial = 0x10000000;
let wire = 0;
function run(count) {
  done = 0;
  for (let at = 0; at < count; at += BATCH) {
    for (let n = 0; n < BATCH; n++) {
      const id = (serial++).toString(16);
      request.headers.values[5] = `00-4bf92f3577b34da6a3ce929d${id}-00f067aa${id}-01`;
      request.headers.values[6] = `7f3ce929d-${id}`;
      const call = new Call();
      call.stream = client.open(call);
      call.stream.sendRequest(request, false);
      call.stream.sendBody(message, 0, message.length);
      call.stream.sendEnd();
    }
    wire += toServer.carry(server);
    wire += toClient.carry(client);
  }
  if (done !== count) throw new Error(`${done} of ${count} done`);
}

run(100_000);
const rounds = [];
for (let round = 0; round < 5; round++) {
  const before = process.cpuUsage();
  wire = 0;
  run(EXCHANGES);
  const used = process.cpuUsage(before);
  rounds.push(((used.user + used.system) * 1000) / EXCHANGES);
}
rounds.sort((a, b) => a - b);
console.log(
  `${process.version}  ${EXCHANGES} exchanges a round, ${Math.round(wire / EXCHANGES)} bytes each on the wire`,
);
console.log(
  `both ends together: median ${Math.round(rounds[2])} ns CPU per exchange (${rounds.map(Math.round).join(", ")})`,
);
