// Proves at start that a tier works on this Node: an echo through loopback with writes that the kernel cannot take at
// once, from memory that is overwritten as soon as `write` returns, and a half-close each way.

import type { Clock } from "@ripstop/core";
import type { CloseCause, Conn, ConnHandler } from "../conn.ts";
import { dial } from "../dial.ts";
import { listen } from "../listen.ts";
import type { Tier } from "./tier.ts";

const BLOCK_BYTES = 64 * 1024;
const MAX_BLOCKS = 1_024;
/** What the kernel did not take at once changes to its last byte: that one and a sample are enough, and keep the start quick. */
const SAMPLE_STEP = 4 * 1024;
const TIMEOUT_MS = 2_000;

/** Undefined when the tier works, else what went wrong. Ends within two seconds. */
export async function selfTest(tier: Tier, clock: Clock): Promise<string | undefined> {
  let receiver: Receiver | undefined;
  let fail: (reason: string) => void = () => undefined;
  try {
    const failed = new Promise<string>((resolve) => (fail = resolve));
    const opened = await listen({
      tier,
      onConn(conn) {
        receiver = new Receiver(conn, fail);
        conn.pause();
        conn.handler = receiver;
      },
    });
    if (!opened.ok) return opened.error.message;
    const timer = clock.after(TIMEOUT_MS, () => fail("no complete echo within two seconds"));
    const done = new Promise<undefined>((resolve) => {
      dial(
        { port: opened.value.port, timeoutMs: TIMEOUT_MS, clock, tier },
        {
          onConnected: (conn) => sendAll({ conn, fail, done: () => resolve(undefined), receiver: () => receiver }),
          onFailed: (cause) => fail(`cannot connect to loopback: ${cause.message}`),
        },
      );
    });
    const outcome = await Promise.race([failed, done]);
    timer.clear();
    opened.value.close();
    receiver?.conn.destroy();
    return outcome;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

interface Sending {
  readonly conn: Conn;
  readonly fail: (reason: string) => void;
  readonly done: () => void;
  readonly receiver: () => Receiver | undefined;
}

function sendAll({ conn, fail, done, receiver }: Sending): void {
  const handler: ConnHandler = {
    onBytes: () => fail("bytes that nobody sent"),
    onEnd: () => undefined,
    onDrain() {
      conn.end();
    },
    onClose(cause) {
      const other = receiver();
      if (cause.code !== "") fail(`closed with ${cause.code}`);
      else if (other?.blocks === blocks) done();
      else fail(`${other?.blocks ?? 0} of ${blocks} blocks arrived`);
    },
  };
  conn.handler = handler;
  const scratch = Buffer.alloc(BLOCK_BYTES);
  let blocks = 0;
  let free = true;
  while (free && blocks < MAX_BLOCKS) {
    scratch.fill(patternOf(blocks));
    free = conn.write(scratch, 0, BLOCK_BYTES);
    blocks++;
  }
  scratch.fill(0xff);
  if (free) fail("no write was ever asynchronous");
  // Now that the kernel's buffers are full, let the other side read.
  setImmediate(() => receiver()?.conn.resume());
}

function patternOf(block: number): number {
  return 1 + (block % 250);
}

class Receiver implements ConnHandler {
  readonly conn: Conn;
  readonly #fail: (reason: string) => void;
  #bytes = 0;

  constructor(conn: Conn, fail: (reason: string) => void) {
    this.conn = conn;
    this.#fail = fail;
  }

  get blocks(): number {
    return this.#bytes / BLOCK_BYTES;
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    for (let at = start; at < end;) {
      const block = Math.floor(this.#bytes / BLOCK_BYTES);
      const stop = Math.min(end, at + (block + 1) * BLOCK_BYTES - this.#bytes);
      const expected = patternOf(block);
      for (let i = at; i < stop + SAMPLE_STEP - 1; i += SAMPLE_STEP) {
        if (buf[Math.min(i, stop - 1)] === expected) continue;
        this.#fail(`a byte of block ${block} was changed while it was sent`);
        return;
      }
      this.#bytes += stop - at;
      at = stop;
    }
  }

  onEnd(): void {
    this.conn.end();
  }

  onDrain(): void {
    // Nothing is written.
  }

  onClose(_cause: CloseCause): void {
    // The sender's end decides.
  }
}
