// The stream by which a verified peer asks for a tunnel (CONNECT, RFC 9110 section 9.3.6), until the tunnel is open or
// refused. What the client sends before the answer is held, bounded by the stream's window.

import {
  ResponseHead,
  type HeaderList,
  type RequestHead,
  type ServerStream,
  type ServerStreamHandler,
} from "@ripstop/http";
import type { Conn } from "@ripstop/net";
import type { InboundPeer } from "../2-identify/inbound-peer.ts";
import type { Engine } from "../engine.ts";
import { sendRefusal, type Refusal } from "./local-reply.ts";
import { StreamConn } from "./stream-conn.ts";

/** Who asks, and how. */
export interface TunnelAsker {
  readonly engine: Engine;
  readonly peer: InboundPeer;
  readonly stream: ServerStream;
  /** What carries the stream. */
  readonly conn: Conn;
}

/** What every asked-for tunnel has; where it goes is its subclass's affair. */
export abstract class TunnelRequest implements ServerStreamHandler {
  /** Valid until the request is over. */
  protected readonly request: RequestHead;
  /** The client's end. */
  protected readonly client: StreamConn;
  readonly #asker: TunnelAsker;
  #over = false;

  constructor(asker: TunnelAsker, head: RequestHead) {
    const { engine, stream, conn } = asker;
    this.#asker = asker;
    this.request = engine.heads.take();
    this.request.copyFrom(head);
    this.client = new StreamConn(stream, conn);
    engine.live.exchanges++;
  }

  /** Ends what is under way: called once, when the tunnel is opened, refused or given up by the client. */
  protected abstract stop(): void;

  /** Open, refused or given up. */
  protected get over(): boolean {
    return this.#over;
  }

  /** Tells the client that the tunnel is open; `join` takes its end over. */
  protected open(join: () => void): void {
    this.#asker.stream.sendResponse(new ResponseHead(), false);
    join();
    this.#finish();
  }

  /** Answers with the refusal, unless it is over. */
  protected refuse(refused: Refusal): void {
    if (this.#over) return;
    const { engine, peer, stream } = this.#asker;
    engine.log.info("tunnel refused", { code: refused.kind.code, cause: refused.detail, peer: peer.identity });
    sendRefusal(stream, this.request, refused, engine.clock.nowMs());
    this.#finish();
  }

  onBody(buf: Buffer, start: number, end: number): void {
    this.client.onBody(buf, start, end);
  }

  onTrailers(trailers: HeaderList): void {
    this.client.onTrailers(trailers);
  }

  onEnd(): void {
    this.client.onEnd();
  }

  onWritable(): void {
    this.client.onWritable();
  }

  onReset(code: number, cause: string): void {
    this.client.onReset(code, cause);
    this.#finish();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.stop();
    const { engine } = this.#asker;
    engine.live.exchanges--;
    engine.heads.release(this.request);
  }
}
