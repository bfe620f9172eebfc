// For tests: writes down what a connection as a whole reports.

import type { Http2ConnectionHandler } from "../connection-types.ts";
import type { Http2Error } from "../errors.ts";

/** Remembers what a connection as a whole reported. */
export class RecordingHandler implements Http2ConnectionHandler {
  readonly events: string[] = [];
  readonly errors: Http2Error[] = [];

  onSettings(): void {
    this.events.push("settings");
  }
  onIdle(): void {
    this.events.push("idle");
  }
  onGoaway(lastStreamId: number, code: number, debug: string): void {
    this.events.push(`goaway last=${lastStreamId} code=${code} ${debug}`.trimEnd());
  }
  onPong(value: number): void {
    this.events.push(`pong ${value}`);
  }
  onStreamError(error: Http2Error): void {
    this.errors.push(error);
    this.events.push(`stream error ${error.code} ${error.section}: ${error.message}`);
  }
  onError(error: Http2Error): void {
    this.errors.push(error);
    this.events.push(`error ${error.code} ${error.section}: ${error.message}`);
  }
}
