// Fuzzer: PROXY protocol headers with hostile changes. Every split must say the same, and nothing may throw.

import assert from "node:assert/strict";
import { fuzz } from "@ripstop/testkit";
import { encodeProxyHeader, readProxyHeader } from "./proxy-header.ts";

fuzz("PROXY protocol header", (random) => {
  const address = (): string => random.pick(["192.0.2.1", "::1", "2001:db8::5", "::ffff:10.0.0.1", "", "nonsense"]);
  const end = (): { address: string; port: number } => ({ address: address(), port: random.integer(65_536) });
  const header = encodeProxyHeader(random.pick([1, 2] as const), { source: end(), destination: end() });
  const bytes = Buffer.concat([header, random.bytes(random.integer(40))]);
  for (let changes = random.integer(4); changes > 0; changes--)
    bytes[random.integer(bytes.length)] = random.integer(256);
  const whole = JSON.stringify(readProxyHeader(bytes, 0, bytes.length));
  let said = "";
  for (let length = 1; length <= bytes.length; length++) {
    said = JSON.stringify(readProxyHeader(bytes, 0, length));
    if (said !== '{"state":"more"}') break;
  }
  assert.equal(said, whole);
});
