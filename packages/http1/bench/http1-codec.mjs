// Micro benchmark of the codec in memory, no sockets: CPU nanoseconds for each message of a realistic size.
//   npx tsc -b packages/http1 && node packages/http1/bench/http1-codec.mjs
import {
  encodeRequestHead,
  encodeResponseHead,
  HeadFlag,
  Http1ClientConnection,
  Http1RequestDecoder,
  Http1ResponseDecoder,
  Http1ServerConnection,
} from "../dist/index.js";
import { ByteWriter } from "@ripstop/core";

const request = Buffer.from(
  "GET /api/v1/catalog/items/4711?expand=reviews,stock&currency=EUR HTTP/1.1\r\n" +
    "Host: catalog.shop.svc.cluster.local:8080\r\n" +
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n" +
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
    "Accept-Encoding: gzip, deflate, br, zstd\r\n" +
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n" +
    "Cookie: session=5b1f0c0e9d8a4f6fb2b9a6a2b3c4d5e6; theme=dark; cart=17\r\n" +
    "Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc\r\n" +
    "X-Request-Id: 0f8fad5b-d9cb-469f-a165-70867728950e\r\n" +
    "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n" +
    "X-Tenant-Name: blue\r\n" +
    "Connection: keep-alive\r\n\r\n",
  "latin1",
);
const response = Buffer.from(
  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\nDate: Sat, 21 Nov 2026 08:00:00 GMT\r\n" +
    'Server: catalog\r\nCache-Control: no-store\r\n\r\n{"id":4711,"title":"Dune!"}',
  "latin1",
);

const ROUNDS = 5;
const COUNT = 200_000;

function measure(name, run) {
  for (let at = 0; at < COUNT; at++) run();
  const times = [];
  for (let round = 0; round < ROUNDS; round++) {
    // CPU time, because the machine may be shared; garbage collection on other threads counts too.
    const started = process.cpuUsage();
    for (let at = 0; at < COUNT; at++) run();
    const used = process.cpuUsage(started);
    times.push(((used.user + used.system) * 1000) / COUNT);
  }
  times.sort((a, b) => a - b);
  process.stdout.write(
    `${name.padEnd(58)} ${times[ROUNDS >> 1].toFixed(0).padStart(7)} ns (best ${times[0].toFixed(0)})\n`,
  );
}

const nothing = () => undefined;
const bodySink = { onBody: nothing, onTrailers: nothing, onEnd: nothing, onError: fail, onInformational: nothing };
function fail(error) {
  throw new Error(error.title);
}

process.stdout.write(
  `node ${process.version}; request ${request.length} bytes, response ${response.length} bytes; median of ${ROUNDS}\n`,
);

const requestDecoder = new Http1RequestDecoder({ ...bodySink, onRequest: nothing });
measure("decode a request (11 headers)", () => {
  requestDecoder.decode(request, 0, request.length);
  requestDecoder.next();
});
const responseDecoder = new Http1ResponseDecoder({ ...bodySink, onResponse: nothing });
measure("decode a response (5 headers, 27 bytes of body)", () => {
  responseDecoder.expect("GET", "");
  responseDecoder.decode(response, 0, response.length);
});

const out = new ByteWriter();
measure("encode the decoded request head", () => {
  out.clear();
  if (!encodeRequestHead(out, requestDecoder.head, 0)) throw new Error("not written");
});
measure("encode the decoded response head", () => {
  out.clear();
  if (!encodeResponseHead(out, responseDecoder.head, HeadFlag.LENGTH)) throw new Error("not written");
});
measure("decode and encode a request", () => {
  requestDecoder.decode(request, 0, request.length);
  requestDecoder.next();
  out.clear();
  encodeRequestHead(out, requestDecoder.head, 0);
});

// A whole pass through a proxy: server connection → client connection → back, everything but the kernel.
let writes = 0;
const output = { write: () => (writes++, true), pause: nothing, resume: nothing, end: nothing, destroy: nothing };
const scheduler = { schedule: nothing };
const client = new Http1ClientConnection({
  output,
  scheduler,
  handler: { onIdle: nothing, onUnusable: fail, onError: fail },
});
class Exchange {
  constructor(downstream) {
    this.downstream = downstream;
    this.upstream = undefined;
  }
  onInformational() {}
  onResponse(head, end) {
    this.downstream.sendResponse(head, end);
  }
  onBody(buf, start, end) {
    this.downstream.sendBody(buf, start, end);
    this.upstream.consumed(end - start);
  }
  onTrailers() {}
  onEnd() {
    this.downstream.sendEnd();
  }
  onWritable() {}
  onReset() {}
}
const server = new Http1ServerConnection({
  output,
  scheduler,
  handler: {
    onRequest(stream, head, end) {
      const exchange = new Exchange(stream);
      exchange.upstream = client.open(exchange);
      exchange.upstream.sendRequest(head, end);
      return exchange;
    },
    onIdle: nothing,
    onError: fail,
    onLinger: nothing,
  },
});
measure("proxy an exchange: both connections, in memory", () => {
  server.receive(request, 0, request.length);
  client.receive(response, 0, response.length);
});
process.stdout.write(`writes for each exchange: ${(writes / ((ROUNDS + 1) * COUNT)).toFixed(2)}\n`);
