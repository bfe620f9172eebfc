// Which of a proxy's processes opens the sockets of a Gateway, and how the others come by theirs.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { err, ok, RipstopError, type Result } from "@ripstop/core";
import { ADDRESS_TAKEN, type Listener, type ListeningSocket } from "@ripstop/net";
import { createLogger } from "@ripstop/telemetry";
import { StoppedClock } from "@ripstop/testkit";
import { EdgePort } from "./edge-port.ts";
import { GatewaySockets } from "./gateway-sockets.ts";

const PREFIX = "infra/edge-1 gateway infra/edge ";

/** What happened, in words. */
class Watched {
  readonly clock = new StoppedClock();
  readonly events: string[] = [];
  readonly sockets: GatewaySockets;
  taken = false;

  constructor(follows: boolean, kept: readonly string[] = []) {
    const log = createLogger({ clock: this.clock, level: "error", write: () => undefined });
    this.sockets = new GatewaySockets({
      gateway: "infra/edge",
      workloadId: "infra/edge-1",
      portOffset: 1_000,
      clock: this.clock,
      log,
      sharing: {
        sockets: new Map(kept.map((address) => [PREFIX + address, this.copy(address)])),
        follows,
        onSocket: (key, socket) => this.#say(`${socket === undefined ? "gone" : "opened"} ${key}`),
        onWanted: (key) => this.#say(`wanted ${key}`),
        onClosedPorts: () => this.#say("closed ports"),
      },
      open: (_edge, { host, port, socket }) => Promise.resolve(this.#open(`${host}:${port}`, socket)),
      onOpened: () => undefined,
    });
  }

  /** Another process's socket. */
  copy(name: string): ListeningSocket {
    const close = (): void => this.#say(`copy of ${name} closed`);
    return { close } as unknown as ListeningSocket;
  }

  /** Events since the last call. */
  async heard(): Promise<readonly string[]> {
    await new Promise((resolve) => setImmediate(resolve));
    return this.events.splice(0);
  }

  #open(address: string, copy: ListeningSocket | undefined): Result<Listener, RipstopError> {
    this.#say(`${copy === undefined ? "bind" : "share"} ${address}`);
    if (copy === undefined && this.taken) return err(new RipstopError(ADDRESS_TAKEN, `${address} is taken`));
    const socket = copy ?? this.copy(address);
    return ok({ port: 0, address, connections: 0, socket, close: () => this.#say(`close ${address}`) });
  }

  #say(what: string): void {
    this.events.push(what.replace(PREFIX, ""));
  }
}

const edge = new EdgePort(80, "http");
const hosts = ["127.0.0.1"];

describe("the sockets of a Gateway", () => {
  it("are opened by the lead, which gives copies away and says when they are gone", async () => {
    const lead = new Watched(false);
    lead.sockets.want(edge, hosts);
    assert.deepEqual(await lead.heard(), ["bind 127.0.0.1:1080", "opened 127.0.0.1:80"]);
    assert.deepEqual(lead.sockets.addresses, ["127.0.0.1:1080"]);
    lead.sockets.want(edge, []);
    assert.deepEqual(await lead.heard(), ["close 127.0.0.1:1080", "gone 127.0.0.1:80"]);
  });

  it("are never opened by a process that follows: it asks, and takes what comes", async () => {
    const other = new Watched(true);
    other.sockets.want(edge, hosts);
    assert.deepEqual(await other.heard(), ["wanted 127.0.0.1:80"]);
    assert.deepEqual(other.sockets.addresses, []);
    other.sockets.take(`${PREFIX}127.0.0.1:80`, other.copy("a"));
    assert.deepEqual(await other.heard(), ["share 127.0.0.1:1080"]);
    other.sockets.take(`${PREFIX}127.0.0.1:80`, other.copy("b"));
    assert.deepEqual(await other.heard(), ["copy of b closed"]);
    other.sockets.want(edge, []);
    assert.deepEqual(await other.heard(), ["close 127.0.0.1:1080"]);
  });

  it("that the lead closed are closed by the others, which take the next ones", async () => {
    const other = new Watched(true, ["127.0.0.1:80"]);
    other.sockets.want(edge, hosts);
    assert.deepEqual(await other.heard(), ["share 127.0.0.1:1080"]);
    other.sockets.take(`${PREFIX}127.0.0.1:80`, undefined);
    assert.deepEqual(await other.heard(), ["close 127.0.0.1:1080", "wanted 127.0.0.1:80"]);
    other.sockets.take(`${PREFIX}127.0.0.1:80`, other.copy("b"));
    assert.deepEqual(await other.heard(), ["share 127.0.0.1:1080"]);
  });

  it("wait, when they come before the Gateway, and go, when it does not want them", async () => {
    const other = new Watched(true);
    other.sockets.take(`${PREFIX}127.0.0.1:80`, other.copy("a"));
    other.sockets.take(`${PREFIX}127.0.0.1:81`, other.copy("b"));
    assert.deepEqual(await other.heard(), []);
    other.sockets.want(edge, hosts);
    other.sockets.settle();
    assert.deepEqual(await other.heard(), ["share 127.0.0.1:1080", "copy of b closed"]);
  });

  it("that are missing are opened by the next lead, which lets go of those that nobody wants", async () => {
    const next = new Watched(true);
    next.sockets.want(edge, hosts);
    next.sockets.settle();
    assert.deepEqual(await next.heard(), ["wanted 127.0.0.1:80"]);
    next.sockets.lead([`${PREFIX}127.0.0.1:81`, "infra/edge-1 gateway infra/edge2 127.0.0.1:82"]);
    assert.deepEqual(await next.heard(), ["bind 127.0.0.1:1080", "gone 127.0.0.1:81", "opened 127.0.0.1:80"]);
  });

  it("are tried again by the lead, and only the first time is said", async () => {
    const lead = new Watched(false);
    lead.taken = true;
    lead.sockets.want(edge, hosts);
    assert.deepEqual(await lead.heard(), ["bind 127.0.0.1:1080", "closed ports"]);
    assert.equal(lead.sockets.closedPorts[0]?.cause, "127.0.0.1:1080 is taken");
    lead.clock.advance(2_000);
    assert.deepEqual(await lead.heard(), ["bind 127.0.0.1:1080"]);
    lead.taken = false;
    lead.clock.advance(2_000);
    assert.deepEqual(await lead.heard(), ["bind 127.0.0.1:1080", "closed ports", "opened 127.0.0.1:80"]);
    assert.deepEqual(lead.sockets.closedPorts, []);
  });
});
