// A tunnel's stream as a connection.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamErrorCode, type HttpStream } from "@ripstop/http";
import { Splice } from "./splice.ts";
import { StreamConn } from "./stream-conn.ts";

/** A tunnel whose resets are written down. */
function tunnel(): { readonly conn: StreamConn; readonly resets: readonly number[] } {
  const resets: number[] = [];
  const stream: HttpStream = {
    sendBody: () => true,
    sendTrailers: () => undefined,
    sendEnd: () => undefined,
    reset: (code) => resets.push(code),
    consumed: () => undefined,
  };
  const conn = new StreamConn(stream, {
    remoteAddress: "127.0.0.1",
    remotePort: 0,
    localAddress: "",
    localPort: 0,
    tls: undefined,
  });
  return { conn, resets };
}

describe("a tunnel", () => {
  it("tells an error of the connection behind it as CONNECT_ERROR", () => {
    const broken = tunnel();
    broken.conn.destroy(true);
    assert.deepEqual(broken.resets, [StreamErrorCode.CONNECT_ERROR]);
    const dropped = tunnel();
    dropped.conn.destroy();
    assert.deepEqual(dropped.resets, [StreamErrorCode.CANCEL]);
  });

  it("that breaks resets the connection behind it instead of ending it in order", () => {
    const client = tunnel();
    const server = tunnel();
    new Splice(client.conn, server.conn, { onSpliceEnd: () => undefined });
    client.conn.onReset(StreamErrorCode.CANCEL, "the client reset the stream");
    assert.deepEqual(server.resets, [StreamErrorCode.CONNECT_ERROR]);
  });
});
