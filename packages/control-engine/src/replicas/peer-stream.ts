// A stream of lines from another control plane of the same mesh, over its join listener: until either side ends it, or
// nothing has come for a while (the other end sends empty lines meanwhile).

import type { Timer } from "@ripstop/core";

import { NO_ADDRESS, reasonOf, refusalOf, requestToPeer, type PeerQuestionsOptions } from "./ask-peer.ts";

/** What a stream tells. */
export interface PeerStreamEvents {
  /** The other end has begun to answer. */
  onOpen(): void;
  /** One line that is not empty. */
  onLine(line: string): void;
  /** It is over, once, and not because of `close`: a short sentence without full stop. */
  onEnd(reason: string): void;
}

/** An open stream. */
export interface PeerStream {
  /** Ends it; nothing is told any more. */
  close(): void;
}

/** How often the other end says something at least, in ms. */
export const PEER_BEAT_MS = 5_000;
/** Three beats, and as long as a busy control plane may take to answer. */
const SILENT_MS = 15_000;
const MAX_LINE_CHARS = 1024 * 1024;

/** Opens GET `path` at a join address ("HOST:PORT"). Nothing is told before this returns. */
export function openPeerStream(
  options: PeerQuestionsOptions,
  to: { readonly address: string; readonly path: string },
  events: PeerStreamEvents,
): PeerStream {
  const outgoing = requestToPeer(options, to);
  let isOver = false;
  let silence: Timer | undefined;
  const close = (): void => {
    isOver = true;
    silence?.clear();
    outgoing?.destroy();
  };
  const end = (reason: string): void => {
    if (isOver) return;
    close();
    events.onEnd(reason);
  };
  const heard = (): void => {
    silence?.clear();
    silence = options.clock.after(SILENT_MS, () => end("it does not answer"));
  };
  if (outgoing === undefined) {
    silence = options.clock.after(0, () => end(NO_ADDRESS));
    return { close };
  }
  heard();
  outgoing.on("error", (cause) => end(reasonOf(cause)));
  outgoing.on("response", (incoming) => {
    incoming.on("error", (cause) => end(`its stream broke off: ${cause.message}`));
    incoming.on("close", () => end("its stream ended"));
    if (incoming.statusCode !== 200) return end(refusalOf(incoming));
    if (isOver) return undefined;
    heard();
    events.onOpen();
    let rest = "";
    incoming.setEncoding("utf8");
    incoming.on("data", (chunk: string) => {
      if (isOver) return;
      heard();
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > MAX_LINE_CHARS) return end("its answer is too long");
      for (const line of lines) if (line !== "" && !isOver) events.onLine(line);
    });
    return undefined;
  });
  outgoing.end();
  return { close };
}
