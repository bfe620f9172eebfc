// Heap bytes that an idle connection holds: fresh, and after it has served 100 gRPC-like exchanges.
//
//   node --expose-gc packages/http2/bench/idle-memory.mjs

import { Http2Connection } from "@ripstop/http2";
import { RequestHead, ResponseHead } from "@ripstop/http";
import { systemClock } from "@ripstop/core";

const COUNT = 2000;
const quiet = { onSettings() {}, onIdle() {}, onGoaway() {}, onPong() {}, onStreamError() {}, onError() {} };
const wire = Buffer.alloc(1 << 20);

class Output {
  length = 0;
  wanted = false;
  scheduleFlush() {
    this.wanted = true;
  }
  write(buf, start, end) {
    buf.copy(wire, 0, start, end);
    this.length = end - start;
    return true;
  }
  close() {}
}

function carry(from, output, to) {
  from.flush();
  const { length } = output;
  output.length = 0;
  if (length > 0) to.receive(Buffer.from(wire.subarray(0, length)), 0, length);
}

const response = new ResponseHead();
response.headers.append("content-type", "application/grpc");
const request = new RequestHead();
request.method = "POST";
request.scheme = "http";
request.authority = "cart.shop.svc:8080";
for (let n = 0; n < 9; n++) request.headers.append(`x-header-${n}`, `value ${n}`);

function exchange(pair, serial) {
  request.path = `/shop.Cart/${serial % 10}`;
  request.headers.values[0] = `unique ${serial}`;
  pair.client
    .open({
      onResponse() {},
      onBody() {},
      onEnd() {},
      onTrailers() {},
      onReset() {},
      onWritable() {},
      onInformational() {},
    })
    .sendRequest(request, true);
  carry(pair.client, pair.out, pair.server);
  carry(pair.server, pair.back, pair.client);
}

const pairs = [];
function heap() {
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, arrayBuffers, external } = process.memoryUsage();
  return heapUsed + Math.max(arrayBuffers, external);
}
function make() {
  const out = new Output();
  const back = new Output();
  const onRequest = (stream) => {
    stream.sendResponse(response, true);
    return { onBody() {}, onEnd() {}, onTrailers() {}, onReset() {}, onWritable() {} };
  };
  const client = new Http2Connection({ role: "client", output: out, clock: systemClock, handler: quiet });
  const server = new Http2Connection({
    role: "server",
    output: back,
    clock: systemClock,
    handler: { ...quiet, onRequest },
  });
  const pair = { client, server, out, back };
  carry(client, out, server);
  carry(server, back, client);
  carry(client, out, server);
  return pair;
}
for (let n = 0; n < 50; n++) exchange(make(), n);
const before = heap();
for (let n = 0; n < COUNT; n++) pairs.push(make());
const fresh = heap();
for (const pair of pairs) for (let n = 0; n < 100; n++) exchange(pair, n);
const used = heap();
if (pairs.length !== COUNT) throw new Error("pairs lost");
console.log(
  `${process.version}  each of ${COUNT * 2} ends: fresh ${Math.round((fresh - before) / COUNT / 2)} bytes, after 100 exchanges ${Math.round((used - before) / COUNT / 2)} bytes`,
);
