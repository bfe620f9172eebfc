// A connection inside a tunnel to a proxy of another mesh (HBONE: HTTP/2 CONNECT over mutual TLS, RFC 9113 section 8.5).

import { RequestHead, StreamErrorCode, type ClientStream, type HeaderList, type ResponseHead } from "@ripstop/http";
import type { Timer } from "@ripstop/core";
import { closeCause, type Conn, type Connecting, type DialEvents } from "@ripstop/net";
import { formatAuthority, type HostPort } from "../2-identify/authority.ts";
import { tellForwardedFor } from "../2-identify/forwarded-for.ts";
import type { HttpPool, StreamWaiter, UpstreamConnection } from "./http-pool.ts";
import { writeConnect } from "./http2-pool.ts";
import { StreamConn } from "./stream-conn.ts";

/** Code of the cause when the peer's policy refused the tunnel. */
export const TUNNEL_DENIED = "RIPSTOP_TUNNEL_DENIED";

const connectHead: RequestHead = new RequestHead();

/** Where a tunnel leads. */
export interface TunnelTo extends HostPort {
  /** For whom; absent when several clients share what is inside. */
  readonly client?: Conn;
}

/** One tunnel through `pool`. Starts in its constructor; ends as a dial does. */
export class TunnelDial implements StreamWaiter, Connecting {
  readonly #pool: HttpPool;
  readonly #target: TunnelTo;
  readonly #events: DialEvents;
  readonly #timer: Timer;
  #stream: ClientStream | undefined = undefined;
  #conn: StreamConn | undefined = undefined;
  #over = false;

  constructor(pool: HttpPool, target: TunnelTo, events: DialEvents, startTimer: (onTimeout: () => void) => Timer) {
    this.#pool = pool;
    this.#target = target;
    this.#events = events;
    this.#timer = startTimer(() => {
      this.cancel();
      events.onFailed(closeCause("ETIMEDOUT"));
    });
    // Later, because nothing may be told within the call that starts a dial.
    queueMicrotask(() => {
      if (!this.#over) pool.acquire(this);
    });
  }

  cancel(): void {
    if (this.#over) return;
    this.#end();
    if (this.#stream === undefined) this.#pool.cancel(this);
    else this.#stream.reset(StreamErrorCode.CANCEL);
  }

  onStream(stream: ClientStream, _connection: UpstreamConnection, _reused: boolean): void {
    if (this.#over) {
      stream.reset(StreamErrorCode.CANCEL);
      return;
    }
    this.#stream = stream;
    const { host, port, client } = this.#target;
    writeConnect(connectHead, formatAuthority(host, port));
    if (client !== undefined) tellForwardedFor(connectHead.headers, client);
    stream.sendRequest(connectHead, false);
  }

  onNoStream(cause: string, _overloaded: boolean): void {
    this.#fail("ECONNREFUSED_TUNNEL", cause);
  }

  onInformational(_head: ResponseHead): void {}

  onResponse(head: ResponseHead, end: boolean): void {
    const stream = this.#stream;
    if (this.#over || stream === undefined) return;
    if (head.status < 200 || head.status > 299 || end) {
      if (!end) stream.reset(StreamErrorCode.CANCEL);
      // ztunnel answers 401 when its policies refuse, Envoy and Ripstop 403, and 429 when there are too many.
      const denied = head.status === 401 || head.status === 403 || head.status === 429;
      this.#fail(denied ? TUNNEL_DENIED : "RIPSTOP_TUNNEL", `the peer answered the tunnel with ${head.status}`);
      return;
    }
    this.#end();
    this.#conn = new StreamConn(stream, {
      remoteAddress: this.#target.host,
      remotePort: this.#target.port,
      localAddress: "",
      localPort: 0,
      tls: undefined,
    });
    this.#events.onConnected(this.#conn);
  }

  onBody(buf: Buffer, start: number, end: number): void {
    if (this.#conn === undefined) this.#stream?.consumed(end - start);
    else this.#conn.onBody(buf, start, end);
  }

  onTrailers(trailers: HeaderList): void {
    this.#conn?.onTrailers(trailers);
  }

  onEnd(): void {
    this.#conn?.onEnd();
  }

  onWritable(): void {
    this.#conn?.onWritable();
  }

  onReset(code: number, cause: string): void {
    if (this.#conn !== undefined) this.#conn.onReset(code, cause);
    else this.#fail("ECONNRESET", cause);
  }

  #fail(code: string, message: string): void {
    if (this.#over) return;
    this.#end();
    this.#events.onFailed({ code, message });
  }

  #end(): void {
    this.#over = true;
    this.#timer.clear();
  }
}
