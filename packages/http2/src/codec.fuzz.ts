// Fuzzer: valid and hostile frames mixed with what an owner does, some bytes flipped, at random splits. Every split must
// give the same events and frames, nothing may be thrown, nothing follows the end, and all memory goes back.

import assert from "node:assert/strict";
import { queuedBodies } from "@ripstop/http";
import { fuzz, type SeededRandom } from "@ripstop/testkit";
import { sharedPool } from "./shared-pool.ts";
import { parseFrame } from "./testing/frame-text.suite.ts";
import { ScriptedEndpoint } from "./testing/scripted-endpoint.suite.ts";

const REQUEST = "{:method: POST} {:scheme: http} {:authority: a.example} {:path: /}";
const FLAGS = ["", "END_STREAM ", "END_HEADERS ", "END_STREAM END_HEADERS ", "PADDED ", "END_HEADERS PRIORITY "];
const BLOCKS = [
  REQUEST,
  REQUEST,
  `${REQUEST} {content-length: 5}`,
  `${REQUEST} {cookie: a=b} {cookie: c=d} {priority: u=1}`,
  "{:method: CONNECT} {:authority: a:1}",
  "{:method: CONNECT} {:protocol: websocket} {:scheme: http} {:authority: a} {:path: /}",
  "{:status: 200}",
  "{:status: 200} {content-length: 3}",
  "{:status: 103}",
  "{x-a: b}",
  "x:828684be40017801798286",
  "x:3fe11f20",
  "x:0001788382f5ff",
  "x:40017801794002787a0131c0bfbe",
];
const OTHERS = [
  "SETTINGS",
  "SETTINGS ACK",
  "SETTINGS INITIAL_WINDOW_SIZE=0",
  "SETTINGS INITIAL_WINDOW_SIZE=70000 HEADER_TABLE_SIZE=0",
  "SETTINGS HEADER_TABLE_SIZE=100 ENABLE_CONNECT_PROTOCOL=1 MAX_CONCURRENT_STREAMS=2",
  "PING x:0102030405060708",
  "PING ACK x:5253503200000000",
  "WINDOW_UPDATE u32:70000",
  "WINDOW_UPDATE u32:2147483647",
  'GOAWAY u32:1 u32:0 "bye"',
  'PRIORITY_UPDATE u32:1 "u=0"',
  "TYPE99 zeros:20",
  "PUSH_PROMISE END_HEADERS stream=1 u32:2",
];
const ACTIONS = [
  "> respond N 200",
  "> respond N 200 end",
  ">> respond N 101",
  "> body N 30000",
  ">> body N 90000",
  ">> body N 3",
  "> end N",
  "> trailers N {x-t: v}",
  "> reset N 8",
  "> consumed N 20000",
  "> open POST /p",
  "> open HEAD /p end",
  "> open GET /p protocol=websocket",
  "> shutdown",
  "> ping 7",
  "> block",
  "> unblock",
  "> fin",
  "> advance 1000",
];

function line(random: SeededRandom): string {
  const id = random.pick([1, 1, 3, 3, 5, 7, 2, 0]);
  switch (random.integer(8)) {
    case 0:
    case 1:
      return `HEADERS ${random.pick(FLAGS)}stream=${id} ${random.pick(BLOCKS)}`;
    case 2:
      return `DATA ${random.pick(["", "END_STREAM ", "PADDED "])}stream=${id} ${random.pick(['"abc"', "", "zeros:9000", "u8:2 zeros:5"])}`;
    case 3:
      return random.pick([`CONTINUATION END_HEADERS stream=${id} {x: y}`, `CONTINUATION stream=${id}`]);
    case 4:
      return random.pick([
        `RST_STREAM stream=${id} u32:8`,
        `WINDOW_UPDATE stream=${id} u32:5000`,
        `PRIORITY stream=${id} zeros:5`,
      ]);
    case 5:
      return random.pick(OTHERS);
    default:
      return random.pick(ACTIONS).replace("N", String(id));
  }
}

fuzz("http2 connection", (random) => {
  const role = random.pick(["server", "client"] as const);
  const script =
    role === "server"
      ? ["PREFACE", "SETTINGS"]
      : ["SETTINGS ENABLE_CONNECT_PROTOCOL=1", "> open POST /", "> open GET / end"];
  for (let count = random.integer(25); count > 0; count--) {
    let next = line(random);
    if (!next.startsWith(">") && random.next() < 0.03) {
      const bytes = Buffer.from(parseFrame(next));
      const at = random.integer(bytes.length);
      bytes[at] = random.integer(256);
      next = `RAW x:${bytes.toString("hex")}`;
    }
    script.push(next);
  }
  const settings = {
    maxConcurrentStreams: 3,
    initialWindowBytes: 20_000,
    headerTableBytes: random.pick([0, 100, 4096, 9000]),
  };
  const limits = { empty: { burst: 3, perSecond: 1 }, resets: { burst: 4, perSecond: 1 }, maxQueuedControlBytes: 3000 };
  const before = sharedPool.outstanding;
  const heldBytes = queuedBodies.heldBytes;
  queuedBodies.limitBytes = random.pick([Infinity, 40_000, -1]);
  const outcomes = [Infinity, 1 + random.integer(40)].map((pieceBytes) => {
    const endpoint = new ScriptedEndpoint({ role, settings, limits });
    endpoint.run(script, pieceBytes);
    const wasDead = endpoint.connection.dead;
    const events = endpoint.events.length;
    endpoint.connection.closed("the end of the run");
    if (wasDead) assert.equal(endpoint.events.length, events, "nothing follows the end");
    return { events: endpoint.events, frames: endpoint.frames };
  });
  assert.deepEqual(outcomes[1], outcomes[0], script.join("\n"));
  assert.equal(sharedPool.outstanding, before, "all memory went back");
  assert.equal(queuedBodies.heldBytes, heldBytes, "nothing is counted as waiting");
});
