// The peer's SETTINGS: values in force and their ranges (RFC 9113 §6.5.2, RFC 8441 §3, RFC 9218 §2.1).

import { StreamErrorCode } from "@ripstop/http";
import { HTTP2_FLOW_CONTROL_ERROR, HTTP2_PROTOCOL_ERROR, Http2Error } from "./errors.ts";
import {
  DEFAULT_MAX_FRAME_BYTES,
  DEFAULT_WINDOW,
  LARGEST_MAX_FRAME_BYTES,
  MAX_31_BIT,
  readU32,
  SettingId,
} from "./frames.ts";

/** Values of settings that the peer has sent, or their defaults. */
export class PeerSettings {
  headerTableBytes = 4096;
  /** The lowest value that the latest SETTINGS frame went through: our encoder must say it (RFC 7541 §4.2). */
  lowestHeaderTableBytes = 4096;
  /** Infinity until the peer sets a limit. */
  maxConcurrentStreams: number = Infinity;
  initialWindowBytes: number = DEFAULT_WINDOW;
  extendedConnect = false;
  /** A first SETTINGS frame has come. */
  received = false;

  readonly #fromServer: boolean;

  /** `fromServer`: the peer is a server. */
  constructor(fromServer: boolean) {
    this.#fromServer = fromServer;
  }

  /** Applies the payload `buf[start, end)` (a multiple of six bytes); an error is a connection error. */
  apply(buf: Buffer, start: number, end: number): Http2Error | undefined {
    this.received = true;
    this.lowestHeaderTableBytes = this.headerTableBytes;
    for (let at = start; at < end; at += 6) {
      const id = ((buf[at] ?? 0) << 8) | (buf[at + 1] ?? 0);
      const problem = this.#set(id, readU32(buf, at + 2));
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  #set(id: number, value: number): Http2Error | undefined {
    switch (id) {
      case SettingId.HEADER_TABLE_SIZE:
        this.headerTableBytes = value;
        if (value < this.lowestHeaderTableBytes) this.lowestHeaderTableBytes = value;
        return undefined;
      case SettingId.ENABLE_PUSH:
        if (value > 1 || (this.#fromServer && value !== 0)) return invalid("ENABLE_PUSH", value);
        return undefined;
      case SettingId.MAX_CONCURRENT_STREAMS:
        this.maxConcurrentStreams = value;
        return undefined;
      case SettingId.INITIAL_WINDOW_SIZE:
        if (value > MAX_31_BIT) {
          return new Http2Error(HTTP2_FLOW_CONTROL_ERROR, StreamErrorCode.FLOW_CONTROL_ERROR, {
            section: "RFC 9113 §6.5.2",
            message: `SETTINGS_INITIAL_WINDOW_SIZE is ${value}`,
          });
        }
        this.initialWindowBytes = value;
        return undefined;
      case SettingId.MAX_FRAME_SIZE:
        // We never send frames above the least value, so only the range matters.
        if (value < DEFAULT_MAX_FRAME_BYTES || value > LARGEST_MAX_FRAME_BYTES) return invalid("MAX_FRAME_SIZE", value);
        return undefined;
      case SettingId.ENABLE_CONNECT_PROTOCOL:
        if (value > 1 || (value === 0 && this.extendedConnect)) return invalid("ENABLE_CONNECT_PROTOCOL", value);
        this.extendedConnect = value === 1;
        return undefined;
      case SettingId.NO_RFC7540_PRIORITIES:
        return value > 1 ? invalid("NO_RFC7540_PRIORITIES", value) : undefined;
      default:
        return undefined;
    }
  }
}

function invalid(name: string, value: number): Http2Error {
  return new Http2Error(HTTP2_PROTOCOL_ERROR, StreamErrorCode.PROTOCOL_ERROR, {
    section: "RFC 9113 §6.5.2",
    message: `SETTINGS_${name} is ${value}`,
  });
}
