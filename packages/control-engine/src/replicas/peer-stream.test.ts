// The end of a stream from another control plane, whatever ends it. That one works is shown by whole control planes.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";

import { holdProcess, type Timer } from "@ripstop/core";
import { StoppedClock } from "@ripstop/testkit";

import { NO_ADDRESS, NOTHING_LISTENS } from "./ask-peer.ts";
import { openPeerStream, type PeerStream } from "./peer-stream.ts";

describe("a stream from another control plane", () => {
  let hold: Timer;
  let clock: StoppedClock;
  let server: Server;
  let address: string;
  let told: string[];
  let ended: Promise<void>;
  let end: () => void;

  beforeEach(async () => {
    hold = holdProcess();
    clock = new StoppedClock();
    told = [];
    ended = new Promise((resolve) => (end = resolve));
    // Takes connections, and never says anything.
    server = createServer((socket) => socket.on("error", () => socket.destroy()).resume());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.close();
    hold.clear();
  });

  function open(to: string): PeerStream {
    const own = { current: { chainPem: "", keyPem: "", notAfterMs: 0, rootSha256: "" } };
    const options = {
      own,
      rootsPem: () => "",
      controlIdentity: "spiffe://mesh.local/ns/ripstop-system/sa/control",
      clock,
    };
    return openPeerStream(
      options,
      { address: to, path: "/v1/replica/tap" },
      {
        onOpen: () => told.push("open"),
        onLine: (line) => told.push(line),
        onEnd: (reason) => {
          told.push(reason);
          end();
        },
      },
    );
  }

  it("ends when nothing is heard for a while", async () => {
    open(address);
    clock.advance(14_999);
    assert.deepEqual(told, []);
    clock.advance(1);
    await ended;
    assert.deepEqual(told, ["it does not answer"]);
  });

  it("ends when nothing listens there, or there is no address", async () => {
    await new Promise((resolve) => server.close(resolve));
    open(address);
    await ended;
    assert.deepEqual(told, [NOTHING_LISTENS]);
    open("nowhere");
    assert.equal(told.length, 1, "nothing is told before it is opened");
    clock.advance(0);
    assert.deepEqual(told, [NOTHING_LISTENS, NO_ADDRESS]);
  });

  it("tells nothing once it is closed", () => {
    for (const to of [address, "nowhere"]) open(to).close();
    clock.advance(60_000);
    assert.deepEqual(told, []);
  });
});
