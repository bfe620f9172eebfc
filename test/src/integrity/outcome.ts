// How an exchange went, and whether that is allowed by its plan.

import type { ContentCheck } from "./content.ts";
import type { Plan } from "./plan.ts";

/** What the client saw. */
export interface Seen {
  /** 0 when no head came. */
  readonly status: number;
  /** The body came to a clean end. */
  readonly clean: boolean;
  readonly check: ContentCheck;
  /** Value of the trailer, where one came. */
  readonly trailer: string | undefined;
  /** The body has a length of its own (content-length), so that all bytes are a clean end. */
  readonly sized: boolean;
  /** The proxy's own answer, or the error. */
  readonly detail: string;
}

/** What is wrong with `seen`; undefined when it is as planned. */
export function judge(plan: Plan, seen: Seen): string | undefined {
  const { server } = plan;
  const { check, status, clean } = seen;
  const ok = status === 200 || status === 101;
  const expected = plan.method === "HEAD" && plan.kind === "exchange" ? 0 : server.down;
  if (ok && check.wrongAt !== -1) return `download differs at ${check.wrongAt}`;
  if (ok && check.received > expected) return `download has ${check.received} bytes, not ${expected}`;
  if (plan.abortAt !== -1) return undefined;
  if (server.abortAt !== -1) {
    if (status === 0 || (!ok && status >= 500)) return undefined;
    if (!ok) return `status ${status} for a server that cut the exchange`;
    // A tunnel's bytes have no framing, and a reset may look like an end to the reader, without any proxy too.
    if (!clean || plan.kind === "websocket" || plan.kind === "tcp") return undefined;
    if (check.received < expected) return `truncated: clean end after ${check.received} of ${expected} bytes`;
    return seen.sized ? undefined : "clean end of an answer that was cut";
  }
  if (!ok) return `status ${status}: ${seen.detail}`;
  if (!clean) return `cut after ${check.received} of ${expected} bytes: ${seen.detail}`;
  if (check.received !== expected) return `clean end after ${check.received} of ${expected} bytes`;
  if (
    plan.kind === "exchange" &&
    plan.method !== "HEAD" &&
    server.trailers &&
    server.chunked &&
    seen.trailer !== String(server.seed)
  ) {
    return `trailer of the download is ${seen.trailer ?? "missing"}`;
  }
  return undefined;
}
