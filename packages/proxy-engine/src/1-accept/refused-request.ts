// A request that is answered with an error at once; what it still sends is taken and dropped.

import type { RequestHead, ServerStream, ServerStreamHandler } from "@ripstop/http";
import { sendRefusal, type Refusal } from "../7-connect/local-reply.ts";
import type { Engine } from "../engine.ts";

/** Refuses in its constructor; the head is needed only there. */
export class RefusedRequest implements ServerStreamHandler {
  readonly #stream: ServerStream;

  constructor(engine: Engine, stream: ServerStream, head: RequestHead, refused: Refusal) {
    this.#stream = stream;
    sendRefusal(stream, head, refused, engine.clock.nowMs());
  }

  onBody(_buf: Buffer, start: number, end: number): void {
    this.#stream.consumed(end - start);
  }

  onTrailers(): void {}
  onEnd(): void {}
  onWritable(): void {}
  onReset(): void {}
}
