// Somebody who wants one request made through a pool.

import { RequestHead, type ClientStream } from "@ripstop/http";
import type { StreamWaiter } from "../7-connect/http-pool.ts";

/** Asks a pool for a stream, sends an empty request on it, and remembers what became of it. */
export class Asker implements StreamWaiter {
  answered = 0;
  failed = "";
  overloaded = false;
  reused: boolean | undefined = undefined;
  onStream(stream: ClientStream, _connection: unknown, reused: boolean): void {
    this.reused = reused;
    const head = new RequestHead();
    head.authority = "a";
    stream.sendRequest(head, true);
  }
  onNoStream(cause: string, overloaded: boolean): void {
    this.overloaded = overloaded;
    this.failed = cause;
  }
  onInformational(): void {}
  onResponse(): void {
    this.answered++;
  }
  onBody(): void {}
  onTrailers(): void {}
  onEnd(): void {}
  onWritable(): void {}
  onReset(_code: number, cause: string): void {
    this.failed = cause;
  }
}
