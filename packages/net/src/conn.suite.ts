// What every connection must do, whatever carries it. Each tier and TLS runs this suite.

import { createHash, randomBytes } from "node:crypto";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CloseCause, Conn, ConnHandler } from "./conn.ts";

/** Two ends of one connection, without handlers yet when given to `use`, and its clean-up. */
export interface ConnPair {
  readonly client: Conn;
  readonly server: Conn;
}

/** Sets up connections for the suite. */
export interface ConnHarness {
  /** Makes a connection; gives both ends their handlers at once, in the turn in which each end is received. */
  connect(clientHandler: ConnHandler, serverHandler: ConnHandler): Promise<ConnPair>;
  /** Connections that the listener still counts. */
  live(): number;
  close(): void;
}

/** What is special about an implementation. */
export interface ConnSuiteOptions {
  /** TLS cannot send RST and completes writes later. */
  readonly tls?: boolean;
}

/** Records what a connection tells, and lets a test wait for it. */
export class Recorder implements ConnHandler {
  readonly chunks: Buffer[] = [];
  bytes = 0;
  ends = 0;
  drains = 0;
  readonly closes: CloseCause[] = [];
  /** Runs on every chunk, for tests that react. */
  onChunk: ((chunk: Buffer) => void) | undefined;
  onDrained: (() => void) | undefined;
  onEnded: (() => void) | undefined;
  readonly #waiting = new Set<() => void>();

  onBytes(buf: Buffer, start: number, end: number): void {
    assert.equal(this.closes.length, 0, "bytes after close");
    const chunk = Buffer.from(buf.subarray(start, end));
    this.chunks.push(chunk);
    this.bytes += chunk.length;
    this.onChunk?.(chunk);
    this.#wake();
  }

  onEnd(): void {
    this.ends++;
    this.onEnded?.();
    this.#wake();
  }

  onDrain(): void {
    this.drains++;
    this.onDrained?.();
    this.#wake();
  }

  onClose(cause: CloseCause): void {
    this.closes.push(cause);
    this.#wake();
  }

  text(): string {
    return Buffer.concat(this.chunks).toString("latin1");
  }

  /** Kept as soon as `condition` holds after some event. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  #wake(): void {
    for (const check of this.#waiting) check();
  }
}

/** Lets the event loop run `turns` whole turns. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function send(conn: Conn, text: string): boolean {
  const bytes = Buffer.from(text);
  const taken = conn.write(bytes, 0, bytes.length);
  bytes.fill(0x21); // the memory is ours again on return
  return taken;
}

/** Runs the suite against what `harness` connects. */
export function connSuite(name: string, makeHarness: () => Promise<ConnHarness>, options: ConnSuiteOptions = {}): void {
  const each = (title: string, run: (harness: ConnHarness) => Promise<void>): void => {
    it(title, async () => {
      const harness = await makeHarness();
      try {
        await run(harness);
      } finally {
        harness.close();
      }
    });
  };

  describe(`${name} connection`, () => {
    each("carries bytes both ways and gives the caller its memory back on return", async (harness) => {
      const [c, s] = [new Recorder(), new Recorder()];
      const { client, server } = await harness.connect(c, s);
      send(client, "ping");
      send(client, "-pong");
      await s.until(() => s.bytes === 9);
      assert.equal(s.text(), "ping-pong");
      send(server, "echo");
      await c.until(() => c.bytes === 4);
      assert.equal(c.text(), "echo");
      client.destroy();
      server.destroy();
    });

    each("writes the range that was asked for and nothing else", async (harness) => {
      const [c, s] = [new Recorder(), new Recorder()];
      const { client, server } = await harness.connect(c, s);
      const bytes = Buffer.from("0123456789");
      client.write(bytes, 3, 7);
      client.write(bytes, 5, 5);
      client.write(bytes, 9, 10);
      await s.until(() => s.bytes === 5);
      assert.equal(s.text(), "34569");
      client.destroy();
      server.destroy();
    });

    each("tells the end of the peer's bytes and still lets this side write", async (harness) => {
      const [c, s] = [new Recorder(), new Recorder()];
      const { client, server } = await harness.connect(c, s);
      send(client, "question");
      client.end();
      await s.until(() => s.ends === 1);
      assert.equal(s.text(), "question");
      assert.equal(s.closes.length, 0);
      send(server, "answer");
      server.end();
      await c.until(() => c.closes.length === 1);
      await s.until(() => s.closes.length === 1);
      assert.equal(c.text(), "answer");
      assert.deepEqual([c.ends, s.ends], [1, 1]);
      assert.deepEqual([c.closes[0]?.code, s.closes[0]?.code], ["", ""]);
    });

    each("half-closes from the accepting side too", async (harness) => {
      const [c, s] = [new Recorder(), new Recorder()];
      const { client, server } = await harness.connect(c, s);
      server.end();
      await c.until(() => c.ends === 1);
      assert.equal(c.closes.length, 0);
      send(client, "late");
      client.end();
      await s.until(() => s.closes.length === 1);
      assert.equal(s.text(), "late");
    });

    each("sends the queued bytes before the end", async (harness) => {
      const [c, s] = [new Recorder(), new Recorder()];
      const { client, server } = await harness.connect(c, s);
      const big = randomBytes(8 * 1024 * 1024);
      client.write(big, 0, big.length);
      client.end();
      server.end();
      await s.until(() => s.ends === 1);
      assert.equal(s.bytes, big.length);
      assert.ok(Buffer.concat(s.chunks).equals(big));
      await s.until(() => s.closes.length === 1);
      await c.until(() => c.closes.length === 1);
    });

    each("keeps the memory of a write that waits, whatever the collector does", async (harness) => {
      const [c, s] = [new Recorder(), new Recorder()];
      const { client, server } = await harness.connect(c, s);
      server.pause();
      const expected = createHash("sha256");
      let sent = 0;
      for (let round = 0; round < 4; round++) {
        const block = randomBytes(4 * 1024 * 1024);
        expected.update(block);
        client.write(block, 0, block.length);
        sent += block.length;
        await turns(2);
      }
      // Large buffers that nobody keeps make the collector run.
      for (let i = 0; i < 100; i++) Buffer.allocUnsafeSlow(8 * 1024 * 1024);
      await turns(3);
      const got = createHash("sha256");
      s.onChunk = (chunk) => {
        s.chunks.length = 0;
        got.update(chunk);
        if (s.bytes % 3 === 0) Buffer.allocUnsafeSlow(8 * 1024 * 1024);
      };
      server.resume();
      client.end();
      await s.until(() => s.ends + s.closes.length > 0);
      assert.equal(s.bytes, sent);
      assert.equal(got.digest("hex"), expected.digest("hex"));
      client.destroy();
      server.destroy();
    });

    each(
      "reports queued bytes to a writer whose peer does not read, and drains once the peer reads",
      async (harness) => {
        const [c, s] = [new Recorder(), new Recorder()];
        const { client, server } = await harness.connect(c, s);
        server.pause();
        const block = Buffer.alloc(256 * 1024, 0x61);
        let sent = 0;
        while (client.write(block, 0, block.length)) {
          sent += block.length;
          assert.ok(sent < 256 * 1024 * 1024, "write never said that bytes are queued");
          await turns(1);
        }
        sent += block.length;
        assert.ok(client.queuedBytes > 0);
        assert.ok(client.queuedBytes <= sent);
        assert.equal(c.drains, 0);
        await turns(5);
        server.resume();
        await c.until(() => c.drains === 1);
        assert.equal(client.queuedBytes, 0);
        await s.until(() => s.bytes === sent);
        assert.equal(c.drains, 1);
        client.destroy();
        server.destroy();
      },
    );

    each("stops delivering when paused and loses nothing", async (harness) => {
      const [c, s] = [new Recorder(), new Recorder()];
      const { client, server } = await harness.connect(c, s);
      s.onChunk = () => server.pause();
      const block = Buffer.alloc(4 * 1024 * 1024, 0x62);
      client.write(block, 0, block.length);
      await s.until(() => s.bytes > 0);
      await turns(20);
      const whilePaused = s.chunks.length;
      assert.ok(whilePaused <= 2, `${whilePaused} chunks came while paused`);
      s.onChunk = undefined;
      server.resume();
      await s.until(() => s.bytes === block.length);
      client.destroy();
      server.destroy();
    });

    each("lets the handler be replaced between two chunks", async (harness) => {
      const [c, first, second] = [new Recorder(), new Recorder(), new Recorder()];
      const { client, server } = await harness.connect(c, first);
      first.onChunk = () => {
        server.handler = second;
      };
      send(client, "one");
      await first.until(() => first.bytes === 3);
      send(client, "two");
      await second.until(() => second.bytes === 3);
      client.end();
      await second.until(() => second.ends === 1);
      server.destroy();
      await second.until(() => second.closes.length === 1);
      assert.deepEqual([first.text(), second.text(), first.ends, first.closes.length], ["one", "two", 0, 0]);
    });

    each("closes both ends exactly once after destroy, and not from within the call", async (harness) => {
      const [c, s] = [new Recorder(), new Recorder()];
      const { client } = await harness.connect(c, s);
      client.destroy();
      assert.equal(c.closes.length, 0);
      client.destroy();
      client.end();
      assert.equal(send(client, "into the void"), true);
      await c.until(() => c.closes.length === 1);
      await s.until(() => s.closes.length === 1 || s.ends === 1);
      assert.equal(s.bytes, 0);
      await turns(5);
      assert.equal(c.closes.length, 1);
      assert.ok(s.closes.length <= 1);
    });

    each("delivers nothing after destroy, even from within a delivery", async (harness) => {
      const [c, s] = [new Recorder(), new Recorder()];
      const { client, server } = await harness.connect(c, s);
      s.onChunk = () => server.destroy();
      const block = Buffer.alloc(1024 * 1024);
      client.write(block, 0, block.length);
      await s.until(() => s.closes.length === 1);
      assert.equal(s.chunks.length, 1);
      await c.until(() => c.closes.length === 1 || c.ends === 1);
      client.destroy();
      await c.until(() => c.closes.length === 1);
    });

    each("survives a reset in the middle of a transfer", async (harness) => {
      const [c, s] = [new Recorder(), new Recorder()];
      const { client, server } = await harness.connect(c, s);
      const block = Buffer.alloc(2 * 1024 * 1024);
      server.pause();
      client.write(block, 0, block.length);
      server.destroy(true);
      await s.until(() => s.closes.length === 1);
      await c.until(() => c.closes.length === 1);
      if (options.tls !== true) assert.match(c.closes[0]?.code ?? "", /^(ECONNRESET|EPIPE)$/);
      assert.equal(send(client, "x"), true);
      await turns(3);
      assert.equal(c.closes.length, 1);
    });

    each("accepts writes from within every event", async (harness) => {
      const [c, s] = [new Recorder(), new Recorder()];
      const { client, server } = await harness.connect(c, s);
      s.onChunk = () => send(server, "A");
      s.onEnded = () => {
        send(server, "Z");
        server.end();
      };
      send(client, "hello");
      await c.until(() => c.bytes === 1);
      client.end();
      await c.until(() => c.closes.length === 1);
      assert.equal(c.text(), "AZ");
    });

    each("keeps every byte in order with random sizes, a slow reader and a reused buffer", async (harness) => {
      const [c, s] = [new Recorder(), new Recorder()];
      const { client, server } = await harness.connect(c, s);
      const sentHash = createHash("sha256");
      const gotHash = createHash("sha256");
      const total = 24 * 1024 * 1024;
      const scratch = Buffer.alloc(512 * 1024);
      let sent = 0;
      let got = 0;
      let paused = false;
      s.onChunk = (chunk) => {
        s.chunks.length = 0;
        gotHash.update(chunk);
        got += chunk.length;
        if (!paused && got % 7 === 0) {
          paused = true;
          server.pause();
          setImmediate(() => {
            paused = false;
            server.resume();
          });
        }
      };
      const pump = (): void => {
        while (sent < total) {
          const size = sent % 5 === 0 ? 1 + (sent % 97) : Math.floor(Math.random() * scratch.length) + 1;
          for (let i = 0; i < size; i += 64) scratch.writeUInt32LE((sent + i) >>> 0, Math.min(i, scratch.length - 4));
          sentHash.update(scratch.subarray(0, size));
          sent += size;
          let free: boolean;
          if (client.give === undefined || sent % 3 === 0) {
            free = client.write(scratch, 0, size);
          } else {
            const given = Buffer.from(scratch.subarray(0, size));
            free = client.give(given);
            // True: the memory is ours again, and what we do to it must not reach the peer.
            if (free) given.fill(0xee);
          }
          scratch.fill(sent & 0xff);
          if (!free) return;
        }
        client.end();
      };
      c.onDrained = pump;
      pump();
      await s.until(() => s.ends === 1);
      assert.equal(got, sent);
      assert.equal(gotHash.digest("hex"), sentHash.digest("hex"));
      server.end();
      await c.until(() => c.closes.length === 1);
    });

    each("echoes many interleaved connections without mixing their bytes", async (harness) => {
      const pairs = await Promise.all(
        Array.from({ length: 20 }, async (_, n) => {
          const [c, s] = [new Recorder(), new Recorder()];
          const pair = await harness.connect(c, s);
          s.onChunk = (chunk) => pair.server.write(chunk, 0, chunk.length);
          for (let i = 0; i < 50; i++) send(pair.client, `${n}:${i};`);
          return { n, c, pair };
        }),
      );
      assert.equal(harness.live(), 20);
      for (const { n, c, pair } of pairs) {
        const expected = Array.from({ length: 50 }, (_, i) => `${n}:${i};`).join("");
        await c.until(() => c.bytes === expected.length);
        assert.equal(c.text(), expected);
        pair.server.destroy();
        await c.until(() => c.closes.length + c.ends > 0);
        pair.client.destroy();
      }
      while (harness.live() > 0) await turns(1);
    });

    each("leaves nothing behind after aborts at random points", async (harness) => {
      const random = (below: number): number => Math.floor(Math.random() * below);
      const block = randomBytes(512 * 1024);
      const recorders: Recorder[] = [];
      for (let round = 0; round < 40; round++) {
        const [c, s] = [new Recorder(), new Recorder()];
        recorders.push(c, s);
        const { client, server } = await harness.connect(c, s);
        for (let step = 0; step < 4; step++) {
          const end = random(2) === 0 ? client : server;
          const action = random(6);
          if (action <= 2) end.write(block, 0, 1 + random(block.length));
          else if (action === 3) end.pause();
          else if (action === 4) end.resume();
          else end.end();
          if (random(3) === 0) await turns(random(3));
        }
        if (random(2) === 0) s.onChunk = () => server.destroy(random(2) === 0);
        client.destroy(random(2) === 0);
        server.destroy(random(2) === 0);
      }
      for (const recorder of recorders) await recorder.until(() => recorder.closes.length === 1);
      await turns(5);
      assert.equal(harness.live(), 0);
      assert.ok(recorders.every((recorder) => recorder.closes.length === 1));
    });

    each("knows who is at the other end", async (harness) => {
      const { client, server } = await harness.connect(new Recorder(), new Recorder());
      assert.equal(client.remotePort, server.localPort);
      assert.equal(server.remotePort, client.localPort);
      assert.equal(client.tls !== undefined, options.tls === true);
      client.destroy();
      server.destroy();
      assert.equal(client.remotePort, server.localPort);
    });
  });
}
