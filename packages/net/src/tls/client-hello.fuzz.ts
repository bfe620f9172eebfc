// Fuzzer: ClientHellos with hostile changes, at random splits. Every split must say the same, and nothing may throw.

import assert from "node:assert/strict";
import { fuzz } from "@ripstop/testkit";
import { alpn, helloMessage, readHello, records, serverName, type Extension } from "./client-hello.suite.ts";

fuzz("ClientHello reader", (random) => {
  const extensions: Extension[] = [];
  for (let count = random.integer(6); count > 0; count--) {
    const kind = random.integer(4);
    if (kind === 0) extensions.push(serverName(random.pick(["a", "orders.shop", "A.B.", "", "10.0.0.1", "x\0"])));
    else if (kind === 1) extensions.push(alpn(random.pick(["h2", "http/1.1", ""])));
    else
      extensions.push([random.pick([0, 16, 0xfe0d, 0x0a0a, random.integer(65_536)]), random.bytes(random.integer(80))]);
  }
  const bytes = records(helloMessage(extensions), 1 + random.integer(300));
  for (let changes = random.integer(4); changes > 0; changes--)
    bytes[random.integer(bytes.length)] = random.integer(256);
  const cuts = Array.from({ length: random.integer(12) }, () => random.integer(bytes.length));
  assert.equal(readHello(bytes, cuts), readHello(bytes));
});
